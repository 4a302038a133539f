"""The retry budget by itself: what it promises over its window, at each edge of it."""

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio import RetryBudget
from esteio.policy import _budget
from esteio.policy._budget import BudgetState
from esteio.testing import ManualClock


def test_over_any_window_that_ends_with_a_retry_they_stay_within_ratio_and_floor() -> None:
    """Failures as fast as they come, for 10 seconds: 59 retries came through where 30 were promised."""
    clock = ManualClock()
    state = BudgetState(RetryBudget(ratio=0.2, per_second=3, window=10), clock.monotonic)
    allowed = 0
    for _ in range(1000):
        allowed += state.withdraw()
        clock.advance(0.0099)
    assert allowed == 30


@given(
    steps=st.lists(st.tuples(st.floats(0, 4), st.integers(0, 30), st.integers(0, 30)), max_size=80),
    ratio=st.sampled_from([0.1, 0.5, 1.0]),
    per_second=st.sampled_from([0.0, 0.3, 2.0]),
)
def test_the_budgets_bound_holds_under_any_traffic(
    steps: list[tuple[float, int, int]], ratio: float, per_second: float
) -> None:
    clock = ManualClock()
    state = BudgetState(RetryBudget(ratio, per_second, window=3), clock.monotonic)
    calls: list[float] = []
    retries: list[float] = []
    for pause, begun, wanted in steps:
        clock.advance(pause)
        now = clock.monotonic()
        state.calls += begun
        calls += [now] * begun
        for _ in range(wanted):
            if state.withdraw():
                retries.append(now)
                recent_calls, recent = (sum(moment > now - 3 for moment in found) for found in (calls, retries))
                assert recent <= recent_calls * ratio + per_second * 3 + 1e-9


def test_calls_of_the_last_window_pay_for_retries_as_soon_as_they_are_seen() -> None:
    clock = ManualClock()
    state = BudgetState(RetryBudget(ratio=0.5, per_second=0, window=10), clock.monotonic)
    state.calls += 10
    assert [state.withdraw() for _ in range(6)] == [True] * 5 + [False]
    assert (state.spent, state.refused, state.left()) == (5, 1, 0)
    clock.advance(10)
    assert state.left() == 0


def state_of(clock: ManualClock, ratio: float = 0.5, per_second: float = 0.0, window: float = 10.0) -> BudgetState:
    return BudgetState(RetryBudget(ratio, per_second, window), clock.monotonic)


def test_a_retry_counts_until_it_is_a_whole_window_old() -> None:
    clock = ManualClock(monotonic=100)
    state = state_of(clock, per_second=0.1)
    assert state.withdraw()
    clock.advance(9.999)
    assert not state.withdraw()
    clock.advance(0.001)
    assert state.withdraw()


def test_retries_of_one_slice_leave_with_the_last_of_them_and_never_earlier() -> None:
    clock = ManualClock(monotonic=100)
    state = state_of(clock, per_second=0.2)
    assert state.withdraw()  # 100.0
    clock.advance(0.4)
    assert state.withdraw()  # 100.4, less than 1/20 of the window later
    clock.advance(9.7)
    assert not state.withdraw()  # 110.1: the first is gone, but they leave together
    clock.advance(0.3)
    assert state.left() == 2


def test_a_slice_is_measured_from_its_first_retry_so_that_a_steady_trickle_leaves_too() -> None:
    clock = ManualClock(monotonic=100)
    state = state_of(clock, per_second=0.3)
    for _ in range(3):  # 100.0, 100.4 | 100.8
        assert state.withdraw()
        clock.advance(0.4)
    clock.advance(9.25)
    assert state.left() == 2  # 110.45


def test_retries_a_slice_apart_leave_one_after_the_other() -> None:
    clock = ManualClock(monotonic=100)
    state = state_of(clock, per_second=0.2)
    assert state.withdraw()  # 100.0
    clock.advance(0.5)
    assert state.withdraw()  # 100.5
    clock.advance(9.5)
    assert state.left() == 1  # 110.0


def test_a_call_counts_from_the_look_before_it_until_a_window_later() -> None:
    clock = ManualClock(monotonic=100)
    state = state_of(clock)
    state.calls += 4
    clock.advance(9.999)
    assert state.left() == 2  # begun at some moment since 100
    clock.advance(0.001)
    assert state.left() == 0


def test_calls_of_one_slice_leave_with_the_first_of_them_and_a_slice_apart_one_after_the_other() -> None:
    clock = ManualClock(monotonic=100)
    state = state_of(clock)
    state.calls += 2
    clock.advance(0.25)
    assert state.left() == 1  # since 100.0
    state.calls += 2
    clock.advance(0.25)
    assert state.left() == 2  # since 100.25: the same slice
    state.calls += 2
    clock.advance(9.25)
    assert state.left() == 3  # since 100.5: the next one
    clock.advance(0.25)
    assert state.left() == 1
    clock.advance(0.5)
    assert state.left() == 0


def test_a_look_without_calls_moves_the_moment_from_which_the_next_ones_count() -> None:
    clock = ManualClock(monotonic=100)
    state = state_of(clock)
    clock.advance(5)
    assert state.left() == 0
    state.calls += 2
    clock.advance(9)
    assert state.left() == 1
    clock.advance(1)
    assert state.left() == 0


def test_what_is_left_is_never_below_zero_and_one_whole_retry_is_needed() -> None:
    clock = ManualClock(monotonic=100)
    state = state_of(clock, ratio=0.5)
    state.calls += 3
    assert state.left() == 1.5
    assert [state.withdraw(), state.withdraw()] == [True, False]
    assert state.left() == 0.5
    assert (state.spent, state.refused) == (1, 1)
    clock.advance(9.8)
    state.calls += 2
    assert state.left() == 1.5
    clock.advance(0.2)
    assert state.left() == 0  # calls and retry counted from 100, and are gone together


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform can't fork")
def test_a_fork_while_another_thread_withdraws_leaves_the_child_usable() -> None:
    state = state_of(ManualClock(), per_second=3)
    with _budget._shared.lock:  # as another thread would hold it at the moment of the fork
        child = os.fork()
        if not child:
            signal.alarm(10)  # a lock that is never released
            os._exit(0 if state.withdraw() else 1)
    assert os.waitpid(child, 0)[1] == 0
