"""Bad input is refused when built, with the policy, the parameter, the value and what is allowed."""

from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest

from esteio import (
    Bulkhead,
    Cache,
    CircuitBreaker,
    Deadline,
    Fallback,
    Hedge,
    LoadShedder,
    Pipeline,
    Retry,
    RetryBudget,
    Timeout,
)
from esteio.policy import AIMD, Constant, CountWindow, Exponential, Gradient, TimeWindow, deadline

DURATIONS: list[tuple[str, Callable[[Any], object]]] = [
    ("seconds", Timeout),
    ("seconds", Deadline),
    ("after", lambda v: Hedge(v, idempotent=True)),
    ("reap", lambda v: Hedge(1, idempotent=True, reap=v)),
    ("stale", Cache),
    ("wait", lambda v: Bulkhead(wait=v)),
    ("open_for", lambda v: CircuitBreaker(open_for=v)),
    ("open_max", lambda v: CircuitBreaker(open_max=v)),
    ("probe_lease", lambda v: CircuitBreaker(probe_lease=v)),
    ("slow_after", lambda v: CircuitBreaker(window=CountWindow(), slow_after=v)),
    ("initial", Exponential),
    ("cap", lambda v: Exponential(cap=v)),
    ("seconds", TimeWindow),
    ("window", lambda v: RetryBudget(window=v)),
    ("slow_after", AIMD),
]
FROM_ZERO: list[tuple[str, Callable[[Any], object]]] = [
    ("wait", Constant),
    ("wait", lambda v: Retry(backoff=v, idempotent=True)),
    ("backoff", lambda v: Retry(backoff=[v], idempotent=True)),
    ("retry_after_max", lambda v: Retry(idempotent=True, retry_after_max=v)),
    ("per_second", lambda v: RetryBudget(per_second=v)),
    ("fresh", lambda v: Cache(fresh=v)),
    ("jitter", lambda v: CircuitBreaker(jitter=v)),
]
COUNTS: list[tuple[str, Callable[[Any], object]]] = [
    ("attempts", lambda v: Retry(v, idempotent=True)),
    ("failures", CircuitBreaker),
    ("successes", lambda v: CircuitBreaker(successes=v)),
    ("probes", lambda v: CircuitBreaker(probes=v)),
    ("limit", Bulkhead),
    ("extra", lambda v: Hedge(1, v, idempotent=True)),
    ("size", lambda v: Cache(size=v)),
    ("size", CountWindow),
    ("minimum", lambda v: TimeWindow(minimum=v)),
    ("limit", LoadShedder),
    ("abandoned_max", lambda v: Timeout(1, abandoned_max=v)),
    ("minimum", lambda v: Gradient(minimum=v)),
]


@pytest.mark.parametrize("value", [0, -1, nan, inf, -inf])
@pytest.mark.parametrize(("name", "make"), DURATIONS)
def test_durations(name: str, make: Callable[[Any], object], value: float) -> None:
    with pytest.raises(ValueError, match=f"{name}={value!r} is"):
        make(value)


@pytest.mark.parametrize("value", [-1, nan, inf])
@pytest.mark.parametrize(("name", "make"), FROM_ZERO)
def test_durations_that_may_be_zero(name: str, make: Callable[[Any], object], value: float) -> None:
    make(0)
    with pytest.raises(ValueError, match=f"{name}={value!r} is"):
        make(value)


@pytest.mark.parametrize("value", ["1", True, [1]])
@pytest.mark.parametrize(("name", "make"), [case for case in DURATIONS if case[0] != "backoff"])
def test_what_is_not_a_number(name: str, make: Callable[[Any], object], value: object) -> None:
    with pytest.raises(TypeError, match=f"{name}="):
        make(value)


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-3, ValueError), (1.5, TypeError), (True, TypeError)])
@pytest.mark.parametrize(("name", "make"), COUNTS)
def test_counts(name: str, make: Callable[[Any], object], value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"{name}={value}"):
        make(value)


NAMED: list[Callable[..., object]] = [
    LoadShedder,
    Cache,
    Fallback,
    RetryBudget,
    CircuitBreaker,
    Bulkhead,
    lambda **kw: Deadline(1, **kw),
    lambda **kw: Retry(idempotent=True, **kw),
    lambda **kw: Hedge(1, idempotent=True, **kw),
    lambda **kw: Timeout(1, **kw),
]


async def asynchronous(*_: object) -> bool:
    return False


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Retry(3), TypeError, "idempotent"),
        (lambda: Retry(idempotent="yes"), TypeError, "idempotent='yes'"),
        (lambda: Retry(idempotent=True, jitter="some"), ValueError, "jitter='some'; pass one of full"),
        (lambda: Retry(idempotent=True, on=KeyboardInterrupt), TypeError, "cancellation is never handled"),
        (lambda: Retry(idempotent=True, on=["OSError"]), TypeError, "on holds 'OSError'"),
        (lambda: Retry(idempotent=True, when=3), TypeError, "when=3 can't be called"),
        (lambda: Retry(idempotent=True, backoff=iter([1])), TypeError, "can't be started again"),
        (lambda: Retry(idempotent=True, backoff=[]), ValueError, "says nothing"),
        (lambda: Retry(idempotent=True, when=asynchronous), TypeError, "when=.* is async"),
        (lambda: Retry(idempotent=True, result=asynchronous), TypeError, "result=.* is async"),
        (lambda: Retry(idempotent=True, backoff=asynchronous), TypeError, "backoff=.* is async"),
        (lambda: CircuitBreaker(result=asynchronous), TypeError, "result=.* is async"),
        (lambda: Cache(key=asynchronous), TypeError, "key=.* is async"),
        (lambda: LoadShedder(signal=asynchronous), TypeError, "signal=.* is async"),
        (lambda: Exponential(5, 2, cap=1), ValueError, "cap=1 is below initial=5"),
        (lambda: Exponential(factor=0.5), ValueError, "factor=0.5 is below"),
        (lambda: CircuitBreaker(failure_rate=0), ValueError, r"failure_rate=0 is outside \(0, 1\]"),
        (lambda: CircuitBreaker(failure_rate=50), ValueError, "failure_rate=50 is outside"),
        (lambda: CircuitBreaker(slow_after=1), ValueError, "slow_after=1 needs a window"),
        (lambda: CircuitBreaker(window=10), TypeError, r"window=10; pass CountWindow"),
        (lambda: CircuitBreaker(open_for=60, open_max=30), ValueError, "open_max=30 is below open_for=60"),
        (lambda: CircuitBreaker(open_growth=0.5), ValueError, "open_growth=0.5 is below"),
        (lambda: CountWindow(5, 10), ValueError, "minimum=10 is above size=5"),
        (lambda: Bulkhead(queue=-1), ValueError, "queue=-1 is below 0"),
        (lambda: Cache(10, fresh=20), ValueError, "fresh=20 is above stale=10"),
        (lambda: LoadShedder(normal=0.2), ValueError, "out of order"),
        (lambda: Fallback(on=BaseException), TypeError, "on holds"),
        (lambda: AIMD(1, minimum=5, initial=2), ValueError, "initial=2 is below 5"),
        (lambda: RetryBudget(ratio=2), ValueError, "ratio=2 is outside"),
        (lambda: Retry(idempotent=True, budget=5), TypeError, r"budget=5; pass RetryBudget"),
        (lambda: Hedge(1, idempotent=True, budget=0.2), TypeError, r"budget=0.2; pass RetryBudget"),
        (lambda: Timeout(1, abandon="yes"), TypeError, "abandon='yes'; pass True or False"),
        (lambda: Cache(single_flight=1), TypeError, "single_flight=1; pass True or False"),
        (lambda: CircuitBreaker(when=asynchronous), TypeError, "when=.* is async"),
        (lambda: Pipeline("p", CircuitBreaker(), registry=None).circuit.suspect(nan), ValueError, "seconds=nan"),
        (lambda: deadline.from_headers({}, inf), ValueError, "limit=inf"),
        *((lambda make=make: make(name=3), TypeError, "name=3; pass a text") for make in NAMED),
        *((lambda make=make: make(name=""), ValueError, "name=''; pass a text") for make in NAMED),
    ],
)
def test_each_other_mistake(make: Callable[[], object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


def test_definitions_are_immutable_values() -> None:
    from dataclasses import FrozenInstanceError

    assert CircuitBreaker(failures=3) == CircuitBreaker(failures=3)
    assert len({Retry(idempotent=True), Retry(idempotent=True), Timeout(1)}) == 2
    with pytest.raises(FrozenInstanceError):
        Timeout(1).seconds = 2  # type: ignore[misc]
