"""Every ordered pair of policies, with one timer and with one for each limit: the same outcomes, or a refusal when built."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any

import pytest

from esteio import (
    Bulkhead,
    Cache,
    CircuitBreaker,
    CircuitOpen,
    Deadline,
    DeadlineExceeded,
    Fallback,
    Hedge,
    LoadShedder,
    Pipeline,
    Policy,
    Rejected,
    Retry,
    Timeout,
    TimeoutExceeded,
)
from esteio.policy._functions import call_async
from esteio.policy.pipeline._pipeline import guard, guard_async
from esteio.testing import VirtualClock, run_virtual

POLICIES: dict[str, Policy] = {
    "shedder": LoadShedder(10),
    "cache": Cache(),
    "fallback": Fallback("fallback", on=OSError),
    "deadline": Deadline(10),
    "retry": Retry(3, 1.0, idempotent=True, jitter="none"),
    "hedge": Hedge(2.0, idempotent=True),
    "breaker": CircuitBreaker(failures=100),
    "bulkhead": Bulkhead(5),
    "timeout": Timeout(4),
}
REFUSED = {("retry", "deadline"), ("hedge", "deadline")}
SINGLE = {"shedder", "deadline", "retry", "hedge", "breaker", "bulkhead"}
PAIRS = list(product(POLICIES, repeat=2))


def possible(outer: str, inner: str) -> bool:
    return (outer, inner) not in REFUSED and not (outer == inner and outer in SINGLE)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_each_pair_is_built_or_refused_with_a_reason(outer: str, inner: str) -> None:
    if possible(outer, inner):
        Pipeline("pair", POLICIES[outer], POLICIES[inner], registry=None)
        return
    with pytest.raises(ValueError, match="Pipeline 'pair'"):
        Pipeline("pair", POLICIES[outer], POLICIES[inner], registry=None)


async def succeed(_calls: int) -> str:
    await asyncio.sleep(0.5)
    return "ok"


async def fail(_calls: int) -> str:
    await asyncio.sleep(0.5)
    raise OSError("down")


async def fail_once(calls: int) -> str:
    if calls == 1:
        raise OSError("once")
    return "ok"


async def hang(_calls: int) -> str:
    await asyncio.sleep(100)
    return "late"


async def reject(_calls: int) -> str:
    raise CircuitOpen("other", "open", 1.0)


def expected(kinds: tuple[str, str], work: Callable[[int], Awaitable[str]]) -> tuple[Any, int | None]:
    """What the documentation says for a pair: the end, and the number of calls (None where hedges vary it)."""
    has = set(kinds)
    calls: int | None = None if "hedge" in has else 1
    if work is succeed:
        return "ok", 1
    if work is fail_once:
        if "retry" in has and kinds != ("retry", "fallback"):
            return "ok", 2
        return ("fallback" if "fallback" in has else OSError), 1
    if work is fail:
        if "retry" in has:
            calls = 1 if kinds == ("retry", "fallback") else 3
            calls = None if "hedge" in has else calls
        return ("fallback" if "fallback" in has else OSError), calls
    if work is reject:
        retried = "retry" in has and kinds in (("deadline", "retry"), ("timeout", "retry"))  # there is a bound
        return CircuitOpen, 3 if retried else 1
    return expected_hang(kinds)


def expected_hang(kinds: tuple[str, str]) -> tuple[Any, int | None]:
    has = set(kinds)
    if not has & {"deadline", "timeout"}:
        return asyncio.CancelledError, None
    if "fallback" in has and kinds.index("fallback") == 0:
        return "fallback", None  # TimeoutError is an OSError
    if kinds[0] == "deadline" and "timeout" not in has:
        return DeadlineExceeded, None
    if "deadline" in has and "timeout" not in has:
        return DeadlineExceeded, None
    return TimeoutExceeded, None


@pytest.mark.parametrize("own_timers", [True, False])
@pytest.mark.parametrize("work", [succeed, fail, fail_once, hang, reject], ids=lambda work: work.__name__)
@pytest.mark.parametrize(("outer", "inner"), [pair for pair in PAIRS if possible(*pair)])
def test_each_pair_ends_as_documented(
    outer: str, inner: str, work: Callable[[int], Awaitable[str]], own_timers: bool
) -> None:
    calls = 0

    async def counted() -> str:
        nonlocal calls
        calls += 1
        return await work(calls)

    async def main(clock: VirtualClock) -> Any:
        pipe = Pipeline("pair", POLICIES[outer], POLICIES[inner], clock=clock, registry=None)
        through = guard_async(pipe._bounds, call_async, own_timers=own_timers)
        await through(asyncio.sleep, 0)  # sets the shared timers up
        before = asyncio.all_tasks()
        task = asyncio.create_task(through(counted))
        await asyncio.wait([task], timeout=50)
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
        assert asyncio.all_tasks() == before
        for policy in pipe.snapshot().policies:
            for key in ("running", "taken", "waiting", "reaping"):
                assert policy.values.get(key, 0) == 0, (policy.kind, key)
        return asyncio.CancelledError if task.cancelled() else task.exception() or task.result()

    end, number = expected((outer, inner), work)
    got = run_virtual(main)
    assert got == end or (isinstance(end, type) and isinstance(got, end)), got
    if number is not None:
        assert calls == number


@pytest.mark.parametrize("work", [succeed, fail, fail_once, hang, reject], ids=lambda work: work.__name__)
@pytest.mark.parametrize("drop", [None, "deadline", "retry", "breaker", "bulkhead", "timeout"])
def test_the_recommended_order_ends_alike_with_one_timer_and_with_one_for_each_limit(
    drop: str | None, work: Callable[[int], Awaitable[str]]
) -> None:
    order = ["deadline", "retry", "breaker", "bulkhead", "timeout"]

    def run(own_timers: bool) -> tuple[Any, ...]:
        calls = 0

        async def counted() -> str:
            nonlocal calls
            calls += 1
            return await work(calls)

        async def main(clock: VirtualClock) -> tuple[Any, ...]:
            policies = [POLICIES[kind] for kind in order if kind != drop]
            pipe = Pipeline("all", *policies, clock=clock, registry=None, random=lambda: 0.5)
            through = guard_async(pipe._bounds, call_async, own_timers=own_timers)
            await through(asyncio.sleep, 0)
            task = asyncio.create_task(through(counted))
            await asyncio.wait([task], timeout=60)
            task.cancel()
            await asyncio.wait([task])
            end = "cancelled" if task.cancelled() else task.exception() or task.result()
            return (type(end), str(end), calls, round(clock.monotonic(), 3), pipe.snapshot())

        return run_virtual(main)

    assert run(True) == run(False)


@pytest.mark.parametrize(("outer", "inner"), [pair for pair in PAIRS if possible(*pair) and "hedge" not in pair])
def test_each_pair_guards_plain_functions_too(outer: str, inner: str) -> None:
    pipe = Pipeline("pair", POLICIES[outer], POLICIES[inner], registry=None, clock=_SleeplessClock())
    calls = 0

    def counted() -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("once")
        return "ok"

    through = guard(pipe._bounds, counted)
    end, number = expected((outer, inner), fail_once)
    if isinstance(end, type):
        with pytest.raises(end):
            through()
    else:
        assert through() == end
    assert calls == number


class _SleeplessClock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.now += seconds


def test_a_rejection_by_an_inner_bulkhead_is_no_failure_for_the_breaker_around_it() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("dep", CircuitBreaker(failures=1), Bulkhead(1), clock=clock, registry=None)
        hog = asyncio.create_task(pipe.call(asyncio.sleep, 5))
        await asyncio.sleep(0)
        for _ in range(3):
            with pytest.raises(Rejected):
                await pipe.call(asyncio.sleep, 0)
        await hog
        assert pipe.circuit.state == "closed"

    run_virtual(main)


def test_a_hang_is_a_failure_for_the_breaker_when_a_timeout_is_inside() -> None:
    async def main(clock: VirtualClock) -> None:
        inside = Pipeline("a", CircuitBreaker(failures=1), Timeout(1), clock=clock, registry=None)
        with pytest.raises(TimeoutExceeded):
            await inside.call(hang, 1)
        assert inside.circuit.state == "open"
        outside = Pipeline("b", Deadline(1), CircuitBreaker(failures=1), clock=clock, registry=None)
        with pytest.raises(DeadlineExceeded):
            await outside.call(hang, 1)
        assert outside.circuit.state == "closed"
        assert "never counted as a failure" in outside.explain()

    run_virtual(main)
