"""The circuit breaker: each hazard of semantics.md that concerns it, and its documented parameters."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from esteio import CircuitBreaker, CircuitOpen, CircuitState, Pipeline, Rejected
from esteio.policy import CircuitChanged, CircuitWouldOpen, CountWindow, DeadlineExceeded, TimeWindow
from esteio.testing import ManualClock, flaky, recorded_events


def guarded(breaker: CircuitBreaker, clock: ManualClock | None = None) -> Pipeline:
    return Pipeline("dep", breaker, clock=clock or ManualClock(), random=lambda: 0.0, registry=None)


def fail(pipe: Pipeline, error: BaseException | None = None, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(type(error or OSError())):
            pipe.call(flaky(error or OSError("down")))


def ok() -> str:
    return "ok"


def test_five_failures_in_a_row_open_it_and_a_success_in_between_starts_again() -> None:
    pipe = guarded(CircuitBreaker())
    fail(pipe, times=4)
    pipe.call(ok)
    fail(pipe, times=4)
    assert pipe.circuit.state is CircuitState.CLOSED
    fail(pipe)
    assert pipe.circuit.state is CircuitState.OPEN
    with pytest.raises(CircuitOpen) as caught:
        pipe.call(ok)
    assert (caught.value.name, caught.value.state, caught.value.retry_after) == ("dep", "open", 30.0)
    assert "try in 30.0 s" in str(caught.value)


def test_each_rejection_is_a_fresh_exception() -> None:
    pipe = guarded(CircuitBreaker(failures=1))
    fail(pipe)
    caught = []
    for _ in range(2):
        with pytest.raises(CircuitOpen) as info:
            pipe.call(ok)
        caught.append(info.value)
    assert caught[0] is not caught[1]


def test_the_error_that_trips_is_the_callers_own() -> None:
    error = OSError("the real one")
    pipe = guarded(CircuitBreaker(failures=1))
    with pytest.raises(OSError, match="the real one") as caught:
        pipe.call(flaky(error))
    assert caught.value is error


def test_half_open_admits_no_more_than_the_probes_and_two_successes_close_it() -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(failures=1, probes=2), clock)
    fail(pipe)
    clock.advance(30)
    first, second = pipe.circuit.permit(), pipe.circuit.permit()
    with pytest.raises(CircuitOpen):
        pipe.circuit.permit()
    first.success()
    second.success()
    assert pipe.circuit.state is CircuitState.CLOSED


def test_a_probe_that_succeeded_frees_its_place_at_once() -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(failures=1, probes=1, successes=2), clock)
    fail(pipe)
    clock.advance(30)
    assert [pipe.call(ok), pipe.call(ok)] == ["ok", "ok"]
    assert pipe.circuit.state is CircuitState.CLOSED


async def test_a_thousand_callers_at_once_in_half_open_are_one_probe() -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(failures=1), clock)
    fail(pipe)
    clock.advance(30)
    reached = 0

    async def slow() -> None:
        nonlocal reached
        reached += 1
        await asyncio.sleep(0)

    results = await asyncio.gather(*(pipe.call(slow) for _ in range(1000)), return_exceptions=True)
    assert reached == 1
    assert sum(isinstance(result, CircuitOpen) for result in results) == 999


@pytest.mark.parametrize("late_result", ["success", "failure"])
def test_a_lost_probe_gives_its_place_back_after_its_lease_and_its_late_result_is_discarded(late_result: str) -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(failures=1, successes=1, probe_lease=5), clock)
    fail(pipe)
    clock.advance(30)
    lost = pipe.circuit.permit()
    clock.advance(5)
    second = pipe.circuit.permit()
    lost.success() if late_result == "success" else lost.failure(OSError())
    assert pipe.circuit.state is CircuitState.HALF_OPEN
    second.success()
    assert pipe.circuit.state is CircuitState.CLOSED


@pytest.mark.parametrize("late_result", ["success", "failure"])
def test_results_of_an_older_generation_are_discarded(late_result: str) -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(failures=2, successes=1), clock)
    late = pipe.circuit.permit()
    fail(pipe, times=2)
    clock.advance(30)
    probe = pipe.circuit.permit()
    late.success() if late_result == "success" else late.failure(OSError())
    assert pipe.circuit.state is CircuitState.HALF_OPEN
    probe.success()
    assert pipe.circuit.state is CircuitState.CLOSED
    assert pipe.circuit.snapshot().values["late"] == 1


def test_a_call_begun_before_a_reset_does_not_open_the_closed_circuit() -> None:
    pipe = guarded(CircuitBreaker(failures=1))
    old = pipe.circuit.permit()
    pipe.circuit.reset()
    old.failure(OSError())
    assert pipe.circuit.state is CircuitState.CLOSED


@pytest.mark.parametrize("end", [asyncio.CancelledError, KeyboardInterrupt, GeneratorExit])
def test_control_flow_counts_neither_way_and_a_cancelled_probe_gives_its_permit_back(end: type[BaseException]) -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(failures=1, successes=1), clock)
    fail(pipe, end())
    assert pipe.circuit.state is CircuitState.CLOSED
    fail(pipe)
    clock.advance(30)
    fail(pipe, end())
    assert pipe.circuit.state is CircuitState.HALF_OPEN
    assert pipe.call(ok) == "ok"
    assert pipe.circuit.state is CircuitState.CLOSED


@pytest.mark.parametrize("error", [CircuitOpen("other", "open", 1.0), DeadlineExceeded("caller"), Rejected("x")])
def test_our_own_rejections_and_the_callers_deadline_are_not_the_dependencys_failures(error: Exception) -> None:
    pipe = guarded(CircuitBreaker(failures=1))
    fail(pipe, error)
    assert pipe.circuit.state is CircuitState.CLOSED


def test_only_named_exceptions_and_results_count() -> None:
    pipe = guarded(CircuitBreaker(failures=1, on=OSError, ignore=FileNotFoundError))
    fail(pipe, ValueError())
    fail(pipe, FileNotFoundError())
    assert pipe.circuit.state is CircuitState.CLOSED
    fail(pipe, PermissionError())
    assert pipe.circuit.state is CircuitState.OPEN
    by_result = guarded(CircuitBreaker(failures=2, result=lambda status: status >= 500))
    for status in (503, 200, 503, 503):
        by_result.call(flaky(status))
    assert by_result.circuit.state is CircuitState.OPEN


def test_a_predicate_that_raises_reaches_the_caller_and_keeps_no_permit() -> None:
    clock = ManualClock()
    script: list[Any] = [True, ZeroDivisionError, False]

    def judge(_result: object) -> bool:
        step = script.pop(0)
        if step is ZeroDivisionError:
            raise ZeroDivisionError
        return bool(step)

    pipe = guarded(CircuitBreaker(failures=1, successes=1, result=judge, ignore=ZeroDivisionError), clock)
    pipe.call(ok)
    clock.advance(30)
    with pytest.raises(ZeroDivisionError):
        pipe.call(ok)
    pipe.call(ok)
    assert pipe.circuit.state is CircuitState.CLOSED


def test_a_count_window_opens_at_the_failure_rate_once_the_minimum_is_known() -> None:
    pipe = guarded(CircuitBreaker(window=CountWindow(size=10, minimum=4), failure_rate=0.5))
    fail(pipe, times=3)
    assert pipe.circuit.state is CircuitState.CLOSED
    pipe.call(ok)
    assert pipe.circuit.state is CircuitState.OPEN


def test_a_count_window_forgets_what_is_older_than_its_size() -> None:
    pipe = guarded(CircuitBreaker(window=CountWindow(size=10, minimum=10), failure_rate=0.5))
    fail(pipe, times=4)
    for _ in range(10):
        pipe.call(ok)
    fail(pipe, times=4)
    assert pipe.circuit.state is CircuitState.CLOSED
    fail(pipe)
    assert pipe.circuit.state is CircuitState.OPEN


def test_a_time_window_forgets_with_time() -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(window=TimeWindow(seconds=60, minimum=4), failure_rate=0.5), clock)
    fail(pipe, times=3)
    clock.advance(61)
    fail(pipe, times=3)
    assert pipe.circuit.state is CircuitState.CLOSED
    clock.advance(30)
    fail(pipe)
    assert pipe.circuit.state is CircuitState.OPEN


def test_slow_calls_open_it_although_they_succeed() -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(window=CountWindow(size=4, minimum=4), slow_after=1, slow_rate=0.5), clock)
    for took in (0.1, 2.0, 0.1, 2.0):
        pipe.call(clock.advance, took)
    assert pipe.circuit.state is CircuitState.OPEN


def test_calls_still_in_flight_count_as_slow_before_they_end() -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(window=CountWindow(size=4, minimum=4), slow_after=1, slow_rate=1.0), clock)
    hanging = [pipe.circuit.permit() for _ in range(4)]
    clock.advance(1)
    with pytest.raises(CircuitOpen):
        pipe.circuit.permit()
    for permit in hanging:
        permit.success()
    assert pipe.circuit.state is CircuitState.OPEN


def test_an_overdue_call_is_counted_once_also_when_it_fails_in_the_end() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(window=CountWindow(size=10, minimum=3), slow_after=1, slow_rate=1.0, failure_rate=0.5)
    pipe = guarded(breaker, clock)
    hanging = pipe.circuit.permit()
    clock.advance(2)
    pipe.call(ok)
    hanging.failure(OSError())
    assert pipe.circuit.state is CircuitState.CLOSED
    pipe.call(ok)
    assert pipe.circuit.state is CircuitState.CLOSED
    fail(pipe)
    assert pipe.circuit.state is CircuitState.OPEN


def test_a_slow_probe_opens_it_again() -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(window=CountWindow(size=1, minimum=1), slow_after=1), clock)
    fail(pipe)
    clock.advance(30)
    pipe.call(clock.advance, 2)
    assert pipe.circuit.state is CircuitState.OPEN


def test_the_open_period_grows_up_to_its_cap_and_starts_again_after_closing() -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(failures=1, successes=1, open_for=10, open_growth=2, open_max=30), clock)
    periods = []
    for _ in range(4):
        fail(pipe)
        period = pipe.circuit.snapshot().values["retry_after"]
        assert isinstance(period, float)
        periods.append(period)
        clock.advance(period)
    assert periods == [10, 20, 30, 30]
    pipe.call(ok)
    fail(pipe)
    assert pipe.circuit.snapshot().values["retry_after"] == 10


def test_an_outage_of_any_length_does_not_break_the_growing_period() -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(failures=1, open_for=1, open_growth=10, open_max=5), clock)
    for _ in range(2000):
        fail(pipe)
        clock.advance(5)
    assert pipe.circuit.state is CircuitState.OPEN


def test_the_open_period_has_jitter_and_is_measured_on_the_monotonic_clock() -> None:
    clock = ManualClock()
    pipe = Pipeline("dep", CircuitBreaker(failures=1, jitter=0.5), clock=clock, random=lambda: 1.0, registry=None)
    fail(pipe)
    assert pipe.circuit.snapshot().values["retry_after"] == 45


def test_an_operator_can_isolate_disable_and_reset_it() -> None:
    pipe = guarded(CircuitBreaker(failures=1))
    pipe.circuit.isolate()
    with pytest.raises(CircuitOpen, match="operator") as caught:
        pipe.call(ok)
    assert caught.value.retry_after is None
    pipe.circuit.disable()
    fail(pipe, times=3)
    assert pipe.circuit.state is CircuitState.DISABLED
    pipe.circuit.reset()
    fail(pipe)
    assert pipe.circuit.state is CircuitState.OPEN


def test_metrics_only_tells_when_it_would_open_and_lets_everything_through() -> None:
    pipe = guarded(CircuitBreaker(failures=2))
    pipe.circuit.metrics_only()
    with recorded_events() as seen:
        fail(pipe, times=2)
    assert seen == [CircuitWouldOpen("dep", "2 failures in a row")]
    assert pipe.call(ok) == "ok"


def test_transitions_are_told_with_their_reason() -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(failures=1, successes=1), clock)
    with recorded_events() as seen:
        fail(pipe)
        clock.advance(30)
        pipe.call(ok)
    assert seen == [
        CircuitChanged("dep", "closed", "open", "1 failures in a row", 30.0),
        CircuitChanged("dep", "open", "half-open", "the open period is over"),
        CircuitChanged("dep", "half-open", "closed", "1 probes succeeded"),
    ]


def test_a_hook_may_use_the_circuit_because_no_lock_is_held() -> None:
    from esteio import events

    pipe = guarded(CircuitBreaker(failures=1))
    states = []
    end = events.subscribe(lambda _event: states.append(pipe.circuit.snapshot().values["state"]))
    try:
        fail(pipe)
    finally:
        end()
    assert states == ["open"]


def test_other_instances_opinion_alone_opens_nothing_but_one_own_failure_then_does() -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(failures=5), clock)
    pipe.circuit.suspect(10)
    pipe.call(ok)
    assert pipe.circuit.state is CircuitState.CLOSED
    fail(pipe)
    assert pipe.circuit.state is CircuitState.OPEN
    pipe.circuit.reset()
    pipe.circuit.suspect(10)
    clock.advance(11)
    fail(pipe)
    assert pipe.circuit.state is CircuitState.CLOSED


def test_thresholds_change_live_and_an_open_circuit_stays_open() -> None:
    pipe = guarded(CircuitBreaker(failures=5))
    fail(pipe, times=2)
    pipe.reconfigure(CircuitBreaker(failures=2))
    assert pipe.circuit.state is CircuitState.CLOSED
    fail(pipe, times=2)
    pipe.reconfigure(CircuitBreaker(failures=50))
    assert pipe.circuit.state is CircuitState.OPEN


def permit_told(end: Callable[[Any], None]) -> Pipeline:
    pipe = guarded(CircuitBreaker(failures=1))
    end(pipe.circuit.permit())
    return pipe


def test_permits_by_hand_tell_once_and_as_context_managers() -> None:
    def twice(permit: Any) -> None:
        permit.success()
        permit.failure(OSError())

    assert permit_told(twice).circuit.state is CircuitState.CLOSED
    assert permit_told(lambda permit: permit.ignore()).circuit.state is CircuitState.CLOSED
    pipe = guarded(CircuitBreaker(failures=1))
    with pytest.raises(OSError, match="x"), pipe.circuit.permit():
        raise OSError("x")
    assert pipe.circuit.state is CircuitState.OPEN


def test_a_permit_by_hand_has_no_result_to_judge() -> None:
    pipe = guarded(CircuitBreaker(failures=1, result=lambda status: status >= 500))
    with pipe.circuit.permit():
        pass
    for attempt in pipe.attempts():
        with attempt:
            pass
    assert pipe.circuit.snapshot().values["passed"] == 2


async def test_under_a_dead_dependency_only_the_probes_reach_it() -> None:
    clock = ManualClock()
    pipe = guarded(CircuitBreaker(failures=5, open_for=10), clock)
    dead = flaky(OSError)
    for _ in range(60_000):  # a minute of 1,000 requests a second
        clock.advance(0.001)
        with pytest.raises((OSError, CircuitOpen)):
            await pipe.call(dead.asynchronous)
    assert dead.calls == 5 + 5


def test_a_call_that_fails_while_others_hang_opens_a_suspected_circuit_once() -> None:
    clock = ManualClock()
    window = CountWindow(10, 2)
    breaker = CircuitBreaker(window=window, failure_rate=1, slow_after=1, open_for=10, open_growth=2, jitter=0)
    pipe = guarded(breaker, clock)
    pipe.circuit.suspect(100)
    hanging = [pipe.circuit.permit() for _ in range(2)]
    clock.advance(5)
    with recorded_events() as seen:
        hanging[0].failure(OSError())
    assert [event for event in seen if isinstance(event, CircuitChanged)] == [
        CircuitChanged("dep", "closed", "open", "2 of 2 calls were slow", 10.0)
    ]
    snapshot = pipe.circuit.snapshot().values
    assert (snapshot["opened"], snapshot["retry_after"]) == (1, 10)


def test_a_predicate_tells_an_answer_from_a_failure() -> None:
    class StatusError(Exception):
        def __init__(self, status: int) -> None:
            self.status = status

    breaker = CircuitBreaker(failures=2, when=lambda error: getattr(error, "status", 500) >= 500)
    pipe = guarded(breaker)
    for _ in range(5):
        with pytest.raises(StatusError):
            pipe.call(flaky(StatusError(404)))
    assert pipe.circuit.state is CircuitState.CLOSED
    assert pipe.circuit.snapshot().values["ignored"] == 5
    for _ in range(2):
        with pytest.raises(StatusError):
            pipe.call(flaky(StatusError(503)))
    assert pipe.circuit.state is CircuitState.OPEN


def test_a_predicate_that_raises_gives_the_probe_back() -> None:
    clock = ManualClock()

    def broken(_error: Exception) -> bool:
        raise ZeroDivisionError

    pipe = guarded(
        CircuitBreaker(failures=1, successes=1, when=lambda error: broken(error) if clock.slept else True), clock
    )
    fail(pipe)
    clock.sleep(30)
    with pytest.raises(ZeroDivisionError) as caught:
        pipe.call(flaky(OSError("why")))
    assert isinstance(caught.value.__context__, OSError)
    assert pipe.call(ok) == "ok"
    assert pipe.circuit.state is CircuitState.CLOSED
