"""Retry: what is tried again, how long it waits, and what leaves it."""

import asyncio
import pickle
import socket
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import islice, repeat
from typing import Any

import pytest

from esteio import (
    BulkheadFull,
    CircuitBreaker,
    CircuitOpen,
    Deadline,
    DeadlineExceeded,
    LoadShed,
    Pipeline,
    Policy,
    RetriesExhausted,
    Retry,
    RetryBudget,
    TimeoutExceeded,
)
from esteio.policy import AttemptFailed, Constant, Exponential, Recovered, RetriesGaveUp, attempts_of
from esteio.policy._backoff import waits
from esteio.policy._retry_run import GiveUp, RetryRules, RetryRun
from esteio.testing import ManualClock, flaky, no_retries, no_waits, recorded_events


def pipe_of(*policies: Policy, clock: ManualClock | None = None, random: float = 1.0) -> Pipeline:
    return Pipeline("dep", *policies, clock=clock or ManualClock(), random=lambda: random, registry=None)


def safe(attempts: int | None = 3, **more: Any) -> Retry:
    return Retry(attempts, idempotent=True, **{"backoff": Exponential(1.0), **more})


def test_it_tries_again_with_exponential_waits_and_returns_the_first_answer() -> None:
    clock = ManualClock()
    dep = flaky(OSError, OSError, OSError, "ok")
    assert pipe_of(safe(4), clock=clock).call(dep) == "ok"
    assert clock.slept == [1, 2, 4]


async def test_coroutine_functions_alike() -> None:
    clock = ManualClock()
    dep = flaky(OSError, OSError, "ok")
    assert await pipe_of(safe(), clock=clock).call(dep.asynchronous) == "ok"
    assert clock.slept == [1, 2]


def test_the_original_error_is_raised_with_its_attempts_on_it() -> None:
    error = OSError("down")
    with pytest.raises(OSError, match="down") as caught:
        pipe_of(safe()).call(flaky(error))
    assert caught.value is error
    noted = attempts_of(error)
    assert noted is not None
    assert (noted.pipeline, noted.count, noted.elapsed, noted.reason) == ("dep", 3, 3.0, "attempts")
    assert error.__notes__ == ["'dep' gave up after 3 attempt(s), 3.000 s after the first failure: attempts"]


def test_an_instance_raised_again_and_again_carries_one_note() -> None:
    error = OSError("down")
    pipe = pipe_of(safe())
    for _ in range(3):
        with pytest.raises(OSError, match="down"):
            pipe.call(flaky(error))
    assert len(error.__notes__) == 1


def test_a_wrapper_only_where_asked_for() -> None:
    with pytest.raises(RetriesExhausted, match="failed 3 times") as caught:
        pipe_of(safe(wrap=True)).call(flaky(OSError("down")))
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(ValueError, match="not mine"):
        pipe_of(safe(wrap=True, on=OSError)).call(flaky(ValueError("not mine")))


def test_results_can_be_retried_and_the_last_one_is_returned() -> None:
    assert pipe_of(safe(result=lambda r: r == "busy")).call(flaky("busy", "busy", "done")) == "done"
    dep = flaky("busy")
    assert pipe_of(safe(result=lambda r: r == "busy")).call(dep) == "busy"
    assert dep.calls == 3
    with pytest.raises(RetriesExhausted) as caught:
        pipe_of(safe(result=lambda r: r == "busy", wrap=True)).call(flaky("busy"))
    assert caught.value.result == "busy"


def test_predicates_choose_among_the_named_exceptions() -> None:
    retry = safe(on=OSError, when=lambda error: "again" in str(error))
    for error, calls in ((OSError("again"), 3), (OSError("no"), 1), (ValueError("again"), 1)):
        dep = flaky(error)
        with pytest.raises(type(error)):
            pipe_of(retry).call(dep)
        assert dep.calls == calls


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(), GeneratorExit(), StopIteration()]
)
def test_control_flow_never_reaches_a_predicate(error: BaseException) -> None:
    asked: list[object] = []
    dep = flaky(error)
    with pytest.raises(type(error)):
        pipe_of(safe(when=lambda e: bool(asked.append(e)))).call(dep)
    assert (dep.calls, asked) == (1, [])


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (ConnectionRefusedError(), 3),
        (socket.gaierror(), 3),
        (ConnectionResetError(), 1),
        (TimeoutError(), 1),
        (ValueError(), 1),
    ],
)
def test_what_is_not_idempotent_is_retried_only_when_nothing_was_sent(error: Exception, calls: int) -> None:
    dep = flaky(error)
    with pytest.raises(type(error)):
        pipe_of(Retry(3, idempotent=False)).call(dep)
    assert dep.calls == calls


def test_a_second_error_that_may_have_been_sent_is_not_excused_by_the_first() -> None:
    dep = flaky(ConnectionRefusedError(), ConnectionResetError(), "never")
    with pytest.raises(ConnectionResetError):
        pipe_of(Retry(5, idempotent=False)).call(dep)
    assert dep.calls == 2


def test_not_sent_is_seen_through_the_wrappers_of_a_client_and_can_be_declared() -> None:
    class ClientError(Exception):
        pass

    def wrapped() -> None:
        try:
            raise ConnectionRefusedError
        except ConnectionRefusedError as error:
            raise ClientError from error

    count = 0

    def counting() -> None:
        nonlocal count
        count += 1
        wrapped()

    with pytest.raises(ClientError):
        pipe_of(Retry(3, idempotent=False)).call(counting)
    assert count == 3
    declared = flaky(ClientError())
    with pytest.raises(ClientError):
        pipe_of(Retry(2, idempotent=False, unsent=ClientError)).call(declared)
    assert declared.calls == 2


@pytest.mark.parametrize(("wrappers", "calls"), [(4, 2), (5, 1)])
def test_not_sent_is_looked_for_in_five_errors_of_a_chain(wrappers: int, calls: int) -> None:
    dep = flaky(wrapped_in(wrappers, ConnectionRefusedError()))
    with pytest.raises(LookupError):
        pipe_of(Retry(2, idempotent=False)).call(dep)
    assert dep.calls == calls


def wrapped_in(wrappers: int, error: Exception) -> Exception:
    """`error` in so many others, each raised while the one inside was handled, without `from`."""
    for _ in range(wrappers):
        outer = LookupError()
        outer.__context__ = error
        error = outer
    return error


@pytest.mark.parametrize(("left", "answer"), [(1.0, GiveUp("deadline")), (1.001, 1.0)])
def test_a_wait_that_would_end_with_the_deadline_is_not_begun(left: float, answer: float | GiveUp) -> None:
    rules = RetryRules(3, 1.0, idempotent=True, jitter="none")
    assert RetryRun(rules, 0.0, lambda: 1.0, None).after(OSError(), left, lambda: 0.0) == answer


@pytest.mark.parametrize(("asked", "answer"), [(0.5, 0.5), (60.0, 60.0), (60.5, GiveUp("retry_after"))])
def test_what_a_server_asks_for_is_waited_up_to_the_maximum(asked: float, answer: float | GiveUp) -> None:
    rules = RetryRules(3, 0.1, idempotent=True, jitter="none", retry_after_max=60)
    error = OSError()
    error.retry_after = asked  # type: ignore[attr-defined]
    assert RetryRun(rules, 0.0, lambda: 0.0, None).after(error, 1000.0, lambda: 0.0) == answer


@pytest.mark.parametrize(
    ("shut_for", "asked", "left", "answer"),
    [
        (0.05, None, 10.0, 0.1),
        (0.5, None, 10.0, 0.5),
        (0.5, 2.0, 10.0, 2.0),
        (3.0, 2.0, 10.0, 3.0),
        (10.0, None, 10.0, GiveUp("rejected")),
    ],
)
def test_the_wait_lasts_until_the_circuit_lets_somebody_in_and_is_not_begun_when_that_is_no_earlier_than_the_deadline(
    shut_for: float, asked: float | None, left: float, answer: float | GiveUp
) -> None:
    rules = RetryRules(3, 0.1, idempotent=True, jitter="none", retry_after_max=60)
    error = OSError()
    error.retry_after = asked  # type: ignore[attr-defined]
    assert RetryRun(rules, 0.0, lambda: 0.0, None, lambda: shut_for).after(error, left, lambda: 0.0) == answer


def test_a_rejection_is_followed_by_another_attempt_when_it_says_until_when_and_is_no_attempt_that_was_made() -> None:
    rules = RetryRules(9, 0.1, idempotent=True, jitter="none")
    assert (rules.wants(CircuitOpen("c", "open", 1.0)), rules.wants(CircuitOpen("c", "forced open", None))) == (
        True,
        False,
    )
    run = RetryRun(rules, 0.0, lambda: 0.0, None)
    for failure in (OSError(), CircuitOpen("c", "open", 1.0), OSError()):
        run.after(failure, 100.0, lambda: 0.0)
    assert (run.attempt, run.made) == (4, 3)


@pytest.mark.parametrize(("wait", "retry_after_max", "longest"), [(5.0, 60, 132.0), (5.0, 1, 10.0), (5.0, 0, 10.0)])
def test_the_longest_pauses_are_those_of_the_back_off_or_of_what_servers_may_ask(
    wait: float, retry_after_max: float, longest: float
) -> None:
    rules = RetryRules(3, wait, idempotent=True, jitter="none", retry_after_max=retry_after_max)
    assert rules.longest_pauses(2) == pytest.approx(longest)


def test_inside_another_retry_there_is_one_attempt_unless_told_otherwise() -> None:
    for nested, calls in ((False, 3), (True, 9)):
        dep = flaky(OSError)
        inner = pipe_of(safe(nested=nested))
        with pytest.raises(OSError):  # noqa: PT011 - any
            pipe_of(safe()).call(inner.call, dep)
        assert dep.calls == calls


async def test_the_outer_retry_is_seen_through_tasks_and_gone_afterwards() -> None:
    dep = flaky(OSError)
    inner = pipe_of(safe())

    async def outer() -> None:
        await asyncio.create_task(inner.call(dep.asynchronous))

    with pytest.raises(OSError):  # noqa: PT011
        await pipe_of(safe(2)).call(outer)
    assert dep.calls == 2
    with pytest.raises(OSError):  # noqa: PT011
        await inner.call(dep.asynchronous)
    assert dep.calls == 5


# -- waits


def test_the_cap_is_applied_before_the_jitter_so_callers_at_the_cap_spread() -> None:
    draws = iter([0.1, 0.9, 0.5, 0.2])
    found = list(islice(waits(Exponential(10, 2, cap=10), "full", lambda: next(draws)), 4))
    assert found == [1.0, 9.0, 5.0, 2.0]


def test_decorrelated_jitter_lies_between_the_first_step_and_three_times_the_wait_before() -> None:
    draws = iter([1.0, 1.0, 0.5, 0.0])
    found = list(islice(waits(Exponential(1, 2, cap=8), "decorrelated", lambda: next(draws)), 4))
    assert found == [3.0, 8.0, 4.5, 1.0]


@pytest.mark.parametrize(
    ("backoff", "expected"),
    [
        (0.5, [0.5, 0.5, 0.5]),
        (Constant(2), [2, 2, 2]),
        ([1, 5], [1, 5, 5]),
        (lambda: repeat(7.0), [7, 7, 7]),
        (Exponential(1, 3, cap=4), [1, 3, 4]),
    ],
)
def test_any_iterable_is_a_back_off(backoff: Any, expected: list[float]) -> None:
    for _ in range(2):  # each call starts it again
        clock = ManualClock()
        with pytest.raises(OSError):  # noqa: PT011
            pipe_of(safe(4, backoff=backoff, jitter="none"), clock=clock).call(flaky(OSError))
        assert clock.slept == expected


class HttpError(Exception):
    def __init__(self, wish: str) -> None:
        self.response = type("Response", (), {"headers": {"Retry-After": wish}})()


def test_retry_after_is_honoured_up_to_its_bound_and_never_undercut() -> None:
    clock = ManualClock()
    assert pipe_of(safe(), clock=clock).call(flaky(HttpError("7"), "ok")) == "ok"
    assert clock.slept == [pytest.approx(7.7)]
    clock = ManualClock()
    date = format_datetime(datetime.fromtimestamp(clock.time() + 20, UTC), usegmt=True)
    assert pipe_of(safe(), clock=clock, random=0).call(flaky(HttpError(date), "ok")) == "ok"
    assert clock.slept == [20]
    dep = flaky(HttpError("61"))
    with pytest.raises(HttpError) as caught:
        pipe_of(safe()).call(dep)
    assert dep.calls == 1
    noted = attempts_of(caught.value)
    assert noted is not None
    assert noted.reason == "retry_after"


@pytest.mark.parametrize("garbage", ["", "soon", "nan", "inf", "-5", "Fri, 99 Foo"])
def test_an_unreadable_retry_after_changes_nothing(garbage: str) -> None:
    clock = ManualClock()
    assert pipe_of(safe(), clock=clock).call(flaky(HttpError(garbage), "ok")) == "ok"
    assert clock.slept == [1]


def test_results_carry_retry_after_too() -> None:
    busy = type("Response", (), {"headers": {"Retry-After": "3"}, "status": 429})()
    clock = ManualClock()
    retry = safe(result=lambda r: getattr(r, "status", 200) == 429)
    assert pipe_of(retry, clock=clock, random=0).call(flaky(busy, "ok")) == "ok"
    assert clock.slept == [3]


# -- deadline


def test_no_attempt_and_no_wait_goes_past_the_deadline() -> None:
    clock = ManualClock()
    dep = flaky(OSError("down"))
    with pytest.raises(OSError, match="down") as caught:
        pipe_of(Deadline(5), safe(10, jitter="none"), clock=clock).call(dep)
    assert clock.monotonic() == 3  # 1 + 2, and 4 more would be too late: it says so at once
    noted = attempts_of(caught.value)
    assert noted is not None
    assert noted.reason == "deadline"


def test_our_own_rejections_are_retried_only_when_their_retry_after_fits_the_deadline() -> None:
    for deadline, reached in ((5.0, False), (60.0, True)):
        clock = ManualClock()
        breaker = CircuitBreaker(failures=1, successes=1, open_for=10, jitter=0)
        pipe = pipe_of(Deadline(deadline), safe(3, jitter="none"), breaker, clock=clock, random=0)
        dep = flaky(OSError, "ok")
        if reached:
            assert pipe.call(dep) == "ok"
            assert clock.monotonic() == 10.0, "until the circuit lets somebody in, and not in vain before"
        else:
            with pytest.raises(OSError):  # noqa: PT011 - why it failed, not that the circuit opened over it
                pipe.call(dep)
            assert clock.monotonic() == 0.0
    dep = flaky(CircuitOpen("x", "open", 1.0))
    with pytest.raises(CircuitOpen):
        pipe_of(safe()).call(dep)
    assert dep.calls == 1


def test_nobody_waits_for_an_attempt_that_the_open_circuit_would_reject() -> None:
    clock = ManualClock()
    pipe = pipe_of(safe(5, jitter="none"), CircuitBreaker(failures=2, open_for=30), clock=clock)
    dep = flaky(OSError("down"))
    with pytest.raises(OSError, match="down") as caught:
        pipe.call(dep)
    noted = attempts_of(caught.value)
    assert noted is not None
    assert (dep.calls, noted.count, noted.reason, clock.monotonic()) == (2, 2, "rejected", 1.0)
    pipe.circuit.reset()

    def block() -> None:
        for attempt in pipe.attempts():
            with attempt:
                raise OSError("block")

    with pytest.raises(OSError, match="block"):
        block()
    assert clock.monotonic() == 2.0


def test_an_attempt_that_was_rejected_is_not_counted() -> None:
    class Clock(ManualClock):
        def sleep(self, seconds: float) -> None:
            pipe.circuit.isolate()  # as others' failures would, while this call waits
            super().sleep(seconds)

    pipe = pipe_of(safe(5, jitter="none"), CircuitBreaker(), clock=Clock())
    with pytest.raises(OSError) as caught:  # noqa: PT011
        pipe.call(flaky(OSError()))
    noted = attempts_of(caught.value)
    assert noted is not None
    assert (noted.count, noted.reason) == (1, "rejected")


def test_the_default_waits_leave_room_for_all_attempts_within_a_deadline_of_a_second() -> None:
    clock = ManualClock()
    dep = flaky(OSError(), OSError(), "ok")
    assert pipe_of(Deadline(1.0), Retry(idempotent=True), clock=clock).call(dep) == "ok"
    assert clock.monotonic() == pytest.approx(0.3)


def test_a_passed_deadline_is_never_retried() -> None:
    dep = flaky(DeadlineExceeded("caller"))
    with pytest.raises(DeadlineExceeded):
        pipe_of(safe()).call(dep)
    assert dep.calls == 1


# -- budget


def test_in_a_storm_retries_stay_within_ratio_and_floor() -> None:
    clock = ManualClock()
    budget = RetryBudget(ratio=0.2, per_second=3, window=10)
    pipe = pipe_of(safe(3, backoff=0.0, budget=budget), clock=clock)
    dep = flaky(OSError)
    calls = 10_000
    for _ in range(calls):
        clock.advance(0.01)  # 100 calls a second for 100 s
        with pytest.raises(OSError):  # noqa: PT011
            pipe.call(dep)
    retries = dep.calls - calls
    assert calls * 0.2 * 0.9 < retries < calls * 0.2 + 3 * (100 + 10) + 1


def test_an_empty_budget_raises_the_error_at_once_and_fills_with_time() -> None:
    clock = ManualClock()
    pipe = pipe_of(safe(2, backoff=0.0, budget=RetryBudget(ratio=0.01, per_second=1, window=1)), clock=clock)
    dep = flaky(OSError)
    reasons = []
    for _ in range(2):
        with pytest.raises(OSError) as caught:  # noqa: PT011
            pipe.call(dep)
        noted = attempts_of(caught.value)
        reasons.append(noted and noted.reason)
    assert reasons == ["attempts", "budget"]
    clock.advance(1)
    with pytest.raises(OSError):  # noqa: PT011
        pipe.call(dep)
    assert dep.calls == 2 + 1 + 2


def test_what_is_not_used_within_the_window_is_lost() -> None:
    clock = ManualClock()
    pipe = pipe_of(safe(budget=RetryBudget(ratio=0.5, per_second=0, window=10)), clock=clock)
    for _ in range(100):
        pipe.call(flaky("ok"))
    clock.advance(1000)
    left = pipe.snapshot().policies[0].values["left"]
    assert isinstance(left, float)
    assert left < 1


# -- telling, testing


def test_each_attempt_the_recovery_and_the_exhaustion_are_told() -> None:
    error = OSError("down")
    pipe = pipe_of(safe(2), clock=ManualClock())
    with recorded_events() as seen:
        pipe.call(flaky(error, "ok"))
    assert seen == [AttemptFailed("dep", 1, 2, 1.0, error), Recovered("dep", 2, 1.0)]
    with recorded_events() as seen, pytest.raises(OSError, match="down"):
        pipe.call(flaky(error))
    assert seen == [AttemptFailed("dep", 1, 2, 1.0, error), RetriesGaveUp("dep", 2, 1.0, "attempts", error)]


def test_waits_can_be_turned_off_in_users_tests() -> None:
    clock = ManualClock()
    with no_waits(), pytest.raises(OSError):  # noqa: PT011
        pipe_of(safe(), clock=clock).call(flaky(OSError))
    assert clock.slept == []


def test_parameters_change_live_for_functions_decorated_before() -> None:
    pipe = pipe_of(safe(1))
    dep = flaky(OSError)
    guarded = pipe(dep)
    pipe.reconfigure(safe(4))
    with pytest.raises(OSError):  # noqa: PT011
        guarded()
    assert dep.calls == 4


def test_errors_of_policies_survive_pickling() -> None:
    errors = (
        CircuitOpen("a", "open", 1.5),
        RetriesExhausted("a", 3, 1.0, "x"),
        DeadlineExceeded("a", 2.0),
        TimeoutExceeded("a", 2.0, abandoned=True),
        BulkheadFull("a", 3, 4, 0.5),
        LoadShed("a", "normal", 0.9, 0.8),
    )
    for error in errors:
        copy = pickle.loads(pickle.dumps(error))
        assert str(copy) == str(error)
        assert (copy.name, vars(copy)) == ("a", vars(error))


def test_a_wait_of_zero_does_not_sleep_in_threads_and_gives_the_loop_one_turn() -> None:
    clock = ManualClock()
    with pytest.raises(OSError):  # noqa: PT011
        pipe_of(safe(backoff=0.0), clock=clock).call(flaky(OSError))
    assert clock.slept == []

    async def main() -> None:
        others: list[int] = []
        asyncio.get_running_loop().call_soon(others.append, 1)

        async def fail() -> None:
            raise OSError("down")

        pipe = Pipeline("dep", safe(backoff=0.0), registry=None)
        with pytest.raises(OSError, match="down"):
            await pipe.call(fail)
        assert others == [1]
        asyncio.get_running_loop().call_soon(others.append, 2)
        with pytest.raises(OSError, match="down"):  # noqa: PT012
            async for attempt in pipe.attempts():
                async with attempt:
                    await fail()
        assert others == [1, 2]

    asyncio.run(main())


def test_retries_can_be_turned_off_in_users_tests() -> None:
    pipe = pipe_of(safe(result=lambda r: r == "busy"))
    for script in (OSError, "busy"):
        dep = flaky(script)
        with no_retries():
            outcome = pipe.outcome(dep)
        assert (dep.calls, outcome.attempts) == (1, 1)
    dep = flaky(OSError)
    with no_retries(), pytest.raises(OSError):  # noqa: PT011, PT012
        for attempt in pipe.attempts():
            with attempt:
                dep()
    assert dep.calls == 1
    with no_retries(), no_retries():
        pass
    dep = flaky(OSError, "ok")
    assert pipe.call(dep) == "ok"


@pytest.mark.parametrize(
    ("backoff", "mistake"),
    [
        (lambda: [-1.0], ValueError),
        (lambda: [float("nan")], ValueError),
        (list, ValueError),
        (lambda: ["1"], TypeError),
    ],
)
def test_a_back_off_function_that_returns_nonsense_is_named_and_hides_no_error(
    backoff: Any, mistake: type[Exception]
) -> None:
    with pytest.raises(mistake, match="backoff=") as caught:
        pipe_of(safe(backoff=backoff)).call(flaky(OSError("why")))
    assert isinstance(caught.value.__context__, OSError)


def test_a_predicate_that_raises_hides_no_error() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        pipe_of(safe(when=lambda _error: bool(1 / 0))).call(flaky(OSError("why")))
    assert isinstance(caught.value.__context__, OSError)


def test_a_wait_that_ends_after_the_deadline_is_not_followed_by_an_attempt() -> None:
    class Slow(ManualClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds + 10)  # the machine was busy

    dep = flaky(OSError("down"))
    with pytest.raises(OSError, match="down") as caught:
        pipe_of(Deadline(5), safe(3), clock=Slow()).call(dep)
    noted = attempts_of(caught.value)
    assert noted is not None
    assert (dep.calls, noted.count, noted.reason) == (1, 1, "deadline")
