"""What a verdict says is true: of every algorithm, for any traffic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traffic import NAMES, PER_US, Meter, costs, gaps, small, traffic

from esteio.limit import Limit
from esteio.limit._algorithms import NEVER
from esteio.limit._limit import LONGEST, MOST


@given(small, traffic)
def test_a_denied_hit_passes_after_its_wait_and_not_before(limit: Limit, hits: list[tuple[int, int]]) -> None:
    meter = Meter(limit)
    for gap, cost in hits:
        answer = meter.run([(gap, cost)]).asked[-1]
        if cost > limit.rate:
            assert (answer.allowed, answer.retry) == (False, NEVER)
        elif not answer.allowed:
            assert meter.look(answer.retry, cost).allowed
            assert not meter.look(answer.retry - 1, cost).allowed
        else:
            assert answer.retry == 0
        assert (meter.look().allowed, meter.look().retry) == (True, 0)


@given(small, traffic)
def test_nothing_is_used_after_the_reset_and_something_before(limit: Limit, hits: list[tuple[int, int]]) -> None:
    meter = Meter(limit)
    for gap, cost in hits:
        answer = meter.run([(gap, cost)]).asked[-1]
        assert meter.look(answer.reset).remaining == limit.rate
        if answer.reset:
            assert meter.look(1).reset == answer.reset - 1
            assert meter.look(answer.reset - 1).remaining < limit.rate
            assert limit.rule.until(meter.state, limit) - (meter.now + answer.reset) in (0, 1)


@given(small, traffic)
def test_what_remains_is_what_could_pass_now(limit: Limit, hits: list[tuple[int, int]]) -> None:
    meter = Meter(limit).run(hits)
    left = meter.look().remaining
    assert left == 0 or meter.look(cost=left).allowed
    assert not meter.look(cost=left + 1).allowed


@given(small, traffic)
def test_looking_changes_nothing(limit: Limit, hits: list[tuple[int, int]]) -> None:
    seen, blind = Meter(limit), Meter(limit)
    for gap, cost in hits:
        seen.now += gap
        seen.state, *_ = limit.decide(seen.state, seen.now, 0)
        blind.now += gap
        assert seen.hit(cost) == blind.hit(cost)


@given(small, traffic, costs)
def test_a_charge_leaves_less_by_its_cost_even_where_there_is_no_room(
    limit: Limit, hits: list[tuple[int, int]], cost: int
) -> None:
    meter = Meter(limit).run(hits)
    before = meter.look().remaining
    meter.state = limit.rule.charge(meter.state, meter.now, cost, limit, 0)
    assert meter.look().remaining == max(0, before - cost)


@pytest.mark.parametrize("name", NAMES)
@given(st.lists(st.tuples(gaps, st.integers(1, MOST)), max_size=20), st.sampled_from([1, 63, MOST - 1, MOST]))
def test_the_largest_limits_keep_to_numbers_a_double_holds(name: str, hits: list[tuple[int, int]], rate: int) -> None:
    limit = Limit(rate, LONGEST, algorithm=name)
    meter = Meter(limit, now=1 << 51)  # Redis tells microseconds since 1970: until the year 2041
    for gap, cost in hits:
        meter.run([(gap * 86_400_000, cost)])
        assert all(0 <= number < 1 << 53 for number in meter.state)


@given(small, traffic, st.integers(1, 12))
def test_a_changed_rate_keeps_what_was_consumed(limit: Limit, hits: list[tuple[int, int]], rate: int) -> None:
    meter = Meter(limit).run(hits)
    used = limit.rate - meter.look().remaining
    changed = Limit(rate, limit.per, algorithm=limit.algorithm)
    _, _, remaining, _, _ = changed.decide(meter.state, meter.now, 0)
    assert remaining == max(0, rate - used)


@given(small, traffic, traffic, st.integers(1, 12), st.integers(2, 30))
def test_any_change_of_the_numbers_is_decided_and_stays_bounded(
    limit: Limit, hits: list[tuple[int, int]], later: list[tuple[int, int]], rate: int, thousandths: int
) -> None:
    meter = Meter(limit).run(hits)
    meter.limit = Limit(rate, thousandths / 1000, algorithm=limit.algorithm)
    meter.asked.clear()
    meter.run(later)
    for each in meter.asked:  # twice: what passes at the border of two windows
        assert meter.used(each.at - meter.limit.per_us, each.at) <= 2 * rate


def test_a_full_key_stays_full_when_its_period_grows() -> None:
    for name in NAMES:
        meter = Meter(Limit(4, PER_US / 1e6, algorithm=name)).run([(0, 4)])
        meter.limit = Limit(4, PER_US / 1e6 * 10, algorithm=name)
        assert not meter.hit().allowed, name


def test_an_unused_key_has_all_left() -> None:
    for name in NAMES:
        unused = Meter(Limit(4, PER_US / 1e6, algorithm=name)).look()
        assert (unused.allowed, unused.remaining, unused.reset, unused.retry) == (True, 4, 0, 0), name


def test_a_bucket_lets_as_much_through_as_it_holds_once_it_is_dry_and_says_when() -> None:
    meter = Meter(Limit(2, PER_US / 1e6, algorithm="gcra")).run([(0, 1)])
    denied = meter.look(cost=2)
    assert (denied.allowed, denied.retry) == (False, PER_US // 2)
    assert meter.look(denied.retry, cost=2).allowed


def test_a_bucket_of_another_rate_keeps_its_hits_and_loses_them_at_the_new_rate() -> None:
    meter = Meter(Limit(4, PER_US / 1e6, algorithm="gcra")).run([(0, 2)])
    meter.limit = Limit(8, PER_US / 1e6, algorithm="gcra")
    assert (meter.look().remaining, meter.look().reset) == (6, PER_US // 4)
    meter.limit = Limit(4, 2 * PER_US / 1e6, algorithm="gcra")
    assert (meter.look().remaining, meter.look().reset) == (2, PER_US)
