"""The breaker's state machine by itself, at each of its edges: pure calls, moments given by hand."""

from typing import Any

import pytest

from esteio.policy import CountWindow, TimeWindow
from esteio.policy.breaker._machine import CircuitState, Machine, Permit, Thresholds

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


def machine(random: float = 0.0, **parameters: Any) -> Machine:
    made: dict[str, Any] = {"failures": 2, "successes": 2, "open_for": 10.0, "jitter": 0.5, **parameters}
    return Machine(Thresholds(**made), lambda: random)


def permit(m: Machine, now: float) -> Permit:
    got = m.admit(now)
    assert got is not None
    return got


def fail(m: Machine, now: float, times: int = 1) -> None:
    for _ in range(times):
        m.failure(permit(m, now), now)


def half_open(**parameters: Any) -> Machine:
    m = machine(**parameters)
    fail(m, 0.0, 2)
    return m


def counters(m: Machine) -> tuple[int, ...]:
    return (m.passed, m.failed, m.ignored, m.rejected, m.late, m.opened)


# -- opening and what it costs


def test_it_opens_for_its_period_and_jitter_from_the_failure_on_and_lets_through_at_its_end() -> None:
    m = machine(random=1.0)
    fail(m, 5.0, 2)
    assert (m.state, m.shut_until) == (OPEN, 20.0)
    assert m.retry_after(8.0) == 12.0
    assert m.retry_after(25.0) == 0.0
    assert m.admit(19.999) is None
    assert permit(m, 20.0)
    assert m.state is HALF_OPEN
    assert counters(m) == (0, 2, 0, 1, 0, 1)


def test_periods_grow_from_each_opening_to_the_next_up_to_the_cap_and_start_again_after_closing() -> None:
    m = machine(open_growth=3.0, open_max=25.0, successes=1)
    fail(m, 0.0, 2)
    ends = [m.shut_until]
    for _ in range(2):
        fail(m, ends[-1])
        ends.append(m.shut_until)
    assert ends == [10.0, 35.0, 60.0]
    m.succeeded(permit(m, 60.0), 60.0)
    assert (m.state, m.period) == (CLOSED, 0.0)
    fail(m, 61.0, 2)
    assert m.shut_until == 71.0


def test_what_a_probe_passed_does_not_count_for_the_next_half_open_phase() -> None:
    m = half_open()
    m.succeeded(permit(m, 10.0), 10.0)
    fail(m, 10.0)
    m.succeeded(permit(m, 20.0), 20.0)
    assert m.state is HALF_OPEN
    m.succeeded(permit(m, 20.0), 20.0)
    assert (m.state, m.opened) == (CLOSED, 2)


def test_changes_are_told_once_each_with_their_reason() -> None:
    m = half_open(successes=1)
    m.succeeded(permit(m, 10.0), 10.0)
    assert m.changes == [
        (CLOSED, OPEN, "2 failures in a row"),
        (OPEN, HALF_OPEN, "the open period is over"),
        (HALF_OPEN, CLOSED, "1 probes succeeded"),
    ]
    m.changes = []
    m.force(CLOSED, "reset")
    assert m.changes == []  # it was closed


# -- half-open


def test_probes_are_leased_and_a_lease_ends_at_its_moment() -> None:
    m = half_open(probes=2, probe_lease=4.0)
    first, second = permit(m, 10.0), permit(m, 11.0)
    assert m.admit(13.999) is None
    assert m.retry_after(13.0) == 1.0
    third = permit(m, 14.0)
    m.succeeded(first, 14.0)  # its lease ran out
    assert (m.state, m.probes_passed, set(m.leases)) == (HALF_OPEN, 0, {second, third})
    assert m.rejected == 1


def test_without_a_lease_of_its_own_a_probe_has_the_open_period() -> None:
    m = half_open()
    permit(m, 10.0)
    assert m.admit(19.999) is None
    assert permit(m, 20.0)


def test_a_lost_probe_that_fails_late_opens_nothing() -> None:
    m = half_open(probe_lease=4.0)
    lost = permit(m, 10.0)
    permit(m, 14.0)
    m.failure(lost, 15.0)
    assert m.state is HALF_OPEN


def test_without_a_probe_under_way_one_may_be_let_through_at_once() -> None:
    m = half_open()
    m.ignore(permit(m, 10.0))
    assert m.retry_after(12.0) == 0.0
    assert (m.state, m.ignored) == (HALF_OPEN, 1)
    assert permit(m, 12.0)


@pytest.mark.parametrize(("took", "state"), [(0.999, CLOSED), (1.0, OPEN)])
def test_a_probe_is_slow_from_slow_after_on(took: float, state: CircuitState) -> None:
    m = half_open(window=CountWindow(2, 2), slow_after=1.0, successes=1)
    assert m.state is OPEN
    m.succeeded(permit(m, 10.0), 10.0 + took)
    assert m.state is state
    assert m.changes[-1][2] == ("a probe was slow" if state is OPEN else "1 probes succeeded")


# -- generations


def test_a_transition_makes_what_runs_late_and_clears_what_was_counted() -> None:
    m = machine(window=CountWindow(10, 2), slow_after=5.0, failures=2)
    running = [permit(m, 0.0) for _ in range(3)]
    m.force(CLOSED, "reset")
    assert (m.running, m.leases, m.overdue) == ({}, {}, 0)
    for each in running:
        m.failure(each, 1.0)
    m.succeeded(running[0], 1.0)
    assert (m.state, m.late, m.failed, m.passed) == (CLOSED, 4, 0, 0)


def test_overdue_calls_of_an_older_generation_are_not_counted_again() -> None:
    m = machine(window=CountWindow(10, 3), slow_after=1.0)
    permit(m, 0.0)
    permit(m, 0.0)
    assert permit(m, 5.0)
    assert (m.overdue, len(m.running)) == (2, 1)
    m.force(CLOSED, "reset")
    assert (m.overdue, len(m.running)) == (0, 0)
    permit(m, 20.0)
    assert (m.overdue, m.state) == (0, CLOSED)


def test_leases_end_with_their_generation() -> None:
    m = half_open(probe_lease=100.0)
    permit(m, 10.0)
    m.force(CLOSED, "reset")
    fail(m, 11.0, 2)
    assert m.state is OPEN
    assert permit(m, 21.0)  # no place is taken any more


def test_forcing_forgets_growth_and_suspicion() -> None:
    m = machine(open_growth=2.0)
    fail(m, 0.0, 2)
    m.suspect_until = 100.0
    m.force(CLOSED, "reset")
    fail(m, 1.0)
    assert m.state is CLOSED
    fail(m, 1.0)
    assert m.shut_until == 11.0


def test_forced_open_lets_nothing_through_ever_and_disabled_everything() -> None:
    m = machine()
    m.force(CircuitState.FORCED_OPEN, "isolated")
    assert m.admit(1e9) is None
    assert (m.retry_after(0.0), m.rejected, m.shut_until) == (None, 1, float("inf"))
    m.force(CircuitState.DISABLED, "disabled")
    fail(m, 0.0, 5)
    assert (m.state, m.failed) == (CircuitState.DISABLED, 5)
    assert permit(m, 0.0) is m.fast_permit
    m.force(CLOSED, "reset")
    fail(m, 0.0)
    assert m.state is CLOSED
    assert m.shut_until < 0


def test_other_thresholds_begin_a_generation_except_half_open() -> None:
    m = machine()
    fail(m, 0.0)
    m.redefine(Thresholds(failures=1, open_for=10))
    assert m.state is CLOSED
    fail(m, 0.0)
    assert m.state is OPEN
    probe = permit(m, 20.0)
    m.redefine(Thresholds(failures=1, successes=1), judges_results=True)
    m.succeeded(probe, 20.0)
    assert (m.state, m.fast_permit) == (CLOSED, None)
    m.redefine(Thresholds())
    assert m.fast_permit is not None


# -- the fast permit


def test_the_fast_permit_is_there_only_while_there_is_nothing_to_remember() -> None:
    m = machine(failures=3)
    shared = m.fast_permit
    assert shared is not None
    assert permit(m, 0.0) is permit(m, 5.0) is shared
    fail(m, 5.0)
    assert m.fast_permit is None
    own = permit(m, 6.0)
    assert (own is shared, own.started) == (False, 6.0)
    assert m.running == {}  # nobody asks for how long it has been running
    m.succeeded(own, 6.0)
    assert m.fast_permit is not None
    m.succeeded(permit(m, 7.0), 7.0)
    assert (m.fast_permit is not None, m.passed) == (True, 2)
    fail(m, 8.0, 3)
    assert (m.state, m.fast_permit) == (OPEN, None)
    permit(m, 18.0)
    assert m.fast_permit is None


def test_results_that_are_judged_and_slow_calls_need_permits_of_their_own() -> None:
    assert Machine(Thresholds(), lambda: 0.0, judges_results=True).fast_permit is None
    assert Machine(Thresholds(), lambda: 0.0).fast_permit is not None
    m = machine(window=CountWindow(10, 2), slow_after=1.0)
    assert m.fast_permit is None
    assert permit(m, 0.0) is not permit(m, 0.0)
    assert len(m.running) == 2
    m.force(CircuitState.DISABLED, "disabled")
    permit(m, 0.0)
    assert m.running == {}
    m.force(CircuitState.METRICS_ONLY, "metrics only")
    permit(m, 0.0)
    assert len(m.running) == 1


def test_metrics_only_tells_each_time_and_counts_anew() -> None:
    m = machine()
    m.force(CircuitState.METRICS_ONLY, "metrics only")
    m.changes = []
    fail(m, 0.0, 3)
    assert m.changes == [(CircuitState.METRICS_ONLY, CircuitState.METRICS_ONLY, "2 failures in a row")]
    fail(m, 0.0)
    assert len(m.changes) == 2
    assert (m.state, m.opened) == (CircuitState.METRICS_ONLY, 0)


# -- slow calls


def slow_machine(size: int = 10, minimum: int = 2, **more: Any) -> Machine:
    return machine(window=CountWindow(size, minimum), slow_after=1.0, failure_rate=1.0, **more)


@pytest.mark.parametrize(("took", "opened"), [(0.999, False), (1.0, True)])
def test_a_call_is_slow_from_slow_after_on_when_it_ends(took: float, opened: bool) -> None:
    m = slow_machine(minimum=1)
    m.succeeded(permit(m, 0.0), took)
    assert (m.state is OPEN) is opened


@pytest.mark.parametrize(("now", "counted"), [(0.999, 0), (1.0, 1)])
def test_a_call_is_slow_from_slow_after_on_while_it_runs(now: float, counted: int) -> None:
    m = slow_machine()
    permit(m, 0.0)
    permit(m, now)
    assert m.overdue == counted


def test_only_those_that_began_early_enough_are_overdue() -> None:
    m = slow_machine(minimum=5)
    early = [permit(m, 0.0), permit(m, 0.5)]
    late = permit(m, 0.9)
    last = permit(m, 1.6)
    assert m.overdue == 2
    assert list(m.running) == [late, last]
    assert [each.counted_slow for each in (*early, late)] == [True, True, False]


def test_an_overdue_call_that_comes_back_is_counted_once_and_its_failure_too() -> None:
    m = slow_machine(size=4, minimum=4)
    hanging = permit(m, 0.0)
    permit(m, 2.0)
    assert m.overdue == 1
    m.succeeded(hanging, 2.5)
    assert (m.overdue, m.passed, m.state) == (0, 1, CLOSED)
    m.succeeded(permit(m, 2.5), 2.5)
    m.succeeded(permit(m, 2.5), 2.5)
    assert m.state is CLOSED


def test_an_overdue_call_that_fails_is_a_failure_as_well() -> None:
    m = machine(window=CountWindow(10, 2), slow_after=1.0, slow_rate=1.0, failure_rate=0.5)
    hanging = permit(m, 0.0)
    other = permit(m, 1.5)
    m.succeeded(other, 1.6)
    assert m.state is CLOSED
    m.failure(hanging, 1.7)
    assert m.changes[-1] == (CLOSED, OPEN, "1 of 2 calls failed")


def test_an_overdue_call_that_fails_is_not_slow_a_second_time() -> None:
    m = machine(window=CountWindow(10, 4), slow_after=1.0, slow_rate=0.5, failure_rate=1.0)
    hanging = permit(m, 0.0)
    for _ in range(3):
        m.succeeded(permit(m, 2.0), 2.0)
    m.failure(hanging, 2.5)
    assert m.state is CLOSED  # 1 of 4 was slow


def test_a_call_ignored_after_it_was_counted_as_slow_stays_slow() -> None:
    m = slow_machine()
    hanging = permit(m, 0.0)
    m.ignore(permit(m, 1.5))
    m.ignore(hanging)
    assert (m.overdue, m.ignored, m.running) == (1, 2, {})
    m.succeeded(permit(m, 2.0), 3.0)
    assert m.changes[-1][2] == "2 of 2 calls were slow"


def test_hanging_calls_open_it_when_the_next_one_asks() -> None:
    m = slow_machine()
    permit(m, 0.0)
    permit(m, 0.0)
    assert m.admit(1.0) is None
    assert (m.state, m.opened, m.rejected) == (OPEN, 1, 1)


def test_hanging_calls_open_it_when_another_one_ends() -> None:
    m = slow_machine(minimum=3)
    for _ in range(2):
        permit(m, 0.0)
    quick = permit(m, 0.5)
    m.succeeded(quick, 0.6)
    assert m.state is CLOSED
    m = slow_machine(minimum=3, slow_rate=0.5)
    for _ in range(2):
        permit(m, 0.0)
    quick = permit(m, 0.9)
    m.succeeded(quick, 1.2)
    assert m.changes[-1][2] == "2 of 3 calls were slow"


# -- suspicion


@pytest.mark.parametrize(("now", "state"), [(9.999, OPEN), (10.0, CLOSED)])
def test_under_suspicion_one_failure_opens_until_its_moment(now: float, state: CircuitState) -> None:
    m = machine(failures=5)
    m.suspect_until = 10.0
    m.succeeded(permit(m, 0.0), 0.0)
    assert m.state is CLOSED
    fail(m, now)
    assert m.state is state


def test_slow_calls_are_no_failure_that_suspicion_waits_for() -> None:
    m = slow_machine(minimum=5)
    m.suspect_until = 100.0
    permit(m, 0.0)
    permit(m, 2.0)
    assert (m.overdue, m.state) == (1, CLOSED)


# -- windows


def test_a_count_window_opens_at_its_rate_and_from_its_minimum_on() -> None:
    m = machine(window=CountWindow(4, 3), failure_rate=0.5)
    fail(m, 0.0, 2)
    assert m.state is CLOSED
    m.succeeded(permit(m, 0.0), 0.0)
    assert m.changes[-1][2] == "2 of 3 calls failed"


def test_a_count_window_forgets_what_is_older_than_its_size_and_is_quiet_then() -> None:
    m = machine(window=CountWindow(3, 3), failure_rate=1.0)
    fail(m, 0.0)
    for _ in range(2):
        assert m.fast_permit is None
        m.succeeded(permit(m, 0.0), 0.0)
    assert m.fast_permit is None
    m.succeeded(permit(m, 0.0), 0.0)
    assert m.fast_permit is not None


def test_a_count_window_counts_from_its_generation_on() -> None:
    m = machine(window=CountWindow(10, 3), failure_rate=0.4)
    for _ in range(5):
        m.succeeded(permit(m, 0.0), 0.0)
    m.force(CLOSED, "reset")
    fail(m, 0.0, 2)
    assert m.state is CLOSED
    fail(m, 0.0)
    assert m.changes[-1][2] == "3 of 3 calls failed"


def test_a_count_window_counts_the_successes_that_it_was_not_told_of() -> None:
    m = machine(window=CountWindow(10, 4), failure_rate=0.5)
    m.passed += 3  # through the fast permit
    fail(m, 0.0)
    assert m.state is CLOSED
    fail(m, 0.0, 2)
    assert m.changes[-1][2] == "3 of 6 calls failed"


@pytest.mark.parametrize(("first", "state"), [(0.999, CLOSED), (1.0, OPEN)])
def test_a_time_window_forgets_in_steps_of_a_twentieth(first: float, state: CircuitState) -> None:
    m = machine(window=TimeWindow(20.0, 3), failure_rate=0.5)
    fail(m, first)
    m.succeeded(permit(m, 20.0), 20.0)
    m.succeeded(permit(m, 20.5), 20.5)
    assert m.state is CLOSED
    fail(m, 20.9)  # 1 of 3, or 2 of 4
    assert m.state is state


def test_what_a_time_window_counted_leaves_it_with_its_own_slice() -> None:
    m = machine(window=TimeWindow(20.0, 3), failure_rate=0.5)
    fail(m, 0.0)
    fail(m, 1.0)
    for _ in range(2):
        m.succeeded(permit(m, 20.0), 20.0)  # the first failure has left
    assert m.state is CLOSED
    fail(m, 20.0)
    assert m.changes[-1][2] == "2 of 4 calls failed"


def test_the_memory_of_a_time_window_does_not_grow_with_its_calls() -> None:
    m = machine(window=TimeWindow(20.0, 3))
    for now in range(100):
        m.succeeded(permit(m, now / 2), now / 2)
    window: Any = m.window
    assert len(window.slices) == 20


def test_a_new_count_window_has_nothing_to_remember_and_a_time_window_always() -> None:
    assert machine(window=CountWindow(3, 3)).fast_permit is not None
    assert machine(window=TimeWindow(20.0, 3)).fast_permit is None


def test_a_time_window_counts_slow_calls_and_amended_failures() -> None:
    m = machine(window=TimeWindow(20.0, 2), slow_after=1.0, failure_rate=0.5, slow_rate=0.9)
    hanging = permit(m, 0.0)
    m.succeeded(permit(m, 1.5), 1.6)
    assert (m.state, m.overdue) == (CLOSED, 1)
    m.failure(hanging, 1.7)
    assert m.changes[-1][2] == "1 of 2 calls failed"
    m = machine(window=TimeWindow(20.0, 2), slow_after=1.0, failure_rate=1.0, slow_rate=1.0)
    for _ in range(2):
        m.succeeded(permit(m, 0.0), 5.0)
    assert m.changes[-1][2] == "2 of 2 calls were slow"


def test_without_failures_no_rate_is_reached() -> None:
    m = machine(window=TimeWindow(20.0, 1), failure_rate=0.1, slow_after=1.0, slow_rate=0.1)
    for now in range(5):
        m.succeeded(permit(m, now), now)
    assert m.state is CLOSED
