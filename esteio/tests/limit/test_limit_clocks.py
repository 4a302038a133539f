"""Clocks that run backwards: never generous, never an error, never a key that stays shut."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from traffic import PER_US, Meter, gaps, small

from esteio.limit import Limit

back = st.one_of(st.just(0), st.just(0), st.integers(0, 50), st.integers(0, PER_US), st.integers(0, 50 * PER_US))
steps = st.lists(st.tuples(gaps, st.integers(1, 5), back), max_size=60)
START = 100 * 60 * PER_US


@dataclass
class Admitted:
    truth: int
    cost: int


def admitted(limit: Limit, steps: list[tuple[int, int, int]]) -> list[Admitted]:
    """What passes while the clock is set back by some of the steps, at the times that were true."""
    meter = Meter(limit, now=START)
    truth, passed = START, []
    for gap, cost, set_back in steps:
        truth += gap
        meter.now += gap - set_back
        if meter.hit(cost).allowed:
            passed.append(Admitted(truth, cost))
    return passed


@given(small, steps)
def test_a_clock_that_runs_backwards_lets_no_more_through(limit: Limit, steps: list[tuple[int, int, int]]) -> None:
    allowed = limit.rate if limit.algorithm == "window" else 2 * limit.rate
    passed = admitted(limit, steps)
    for last in passed:
        assert sum(each.cost for each in passed if last.truth - PER_US < each.truth <= last.truth) <= allowed


@given(st.integers(65, 300), st.lists(st.tuples(gaps, st.integers(1, 90), back), max_size=80))
def test_nor_does_it_of_a_window_that_shares_cells(rate: int, steps: list[tuple[int, int, int]]) -> None:
    passed = admitted(Limit(rate, PER_US / 1e6), steps)
    for last in passed:
        assert sum(each.cost for each in passed if last.truth - PER_US < each.truth <= last.truth) <= rate


@given(small, steps, st.integers(2 * PER_US, 10**12))
def test_a_clock_set_far_back_shuts_no_key_for_longer_than_three_periods(
    limit: Limit, steps: list[tuple[int, int, int]], far: int
) -> None:
    meter = Meter(limit, now=START + 10**12)
    for gap, cost, _ in steps:
        meter.now += gap
        meter.hit(cost)
    meter.now -= far
    meter.hit()  # the first hit by the new clock
    meter.now += 3 * PER_US
    assert meter.hit(limit.rate).allowed


def test_a_window_of_the_future_stays_for_one_period_and_begins_now_beyond() -> None:
    for name, periods in (("fixed", 1), ("counter", 2)):
        meter = Meter(Limit(3, PER_US / 1e6, algorithm=name)).run([(0, 1)])  # type: ignore[arg-type]
        meter.now -= PER_US
        assert meter.look().reset == (periods + 1) * PER_US, name
        meter.now -= 1
        assert meter.look().reset == periods * PER_US, name


def test_a_moment_back_is_counted_as_the_same_moment() -> None:
    for name in ("window", "counter", "fixed"):  # the bucket of gcra leaks nothing meanwhile
        meter = Meter(Limit(3, PER_US / 1e6, algorithm=name)).run([(0, 1), (-5, 1), (-5, 1), (3, 1)])
        assert [each.allowed for each in meter.asked] == [True, True, True, False], name
    assert Meter(Limit(3, PER_US / 1e6)).run([(0, 1), (-5, 1)]).asked[-1].reset == PER_US + 5
