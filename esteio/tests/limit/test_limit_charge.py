"""What was admitted elsewhere is charged late: it never leaves more than before, and counts no longer than it should."""

from hypothesis import given
from hypothesis import strategies as st
from traffic import NAMES, PER_US, Meter, small, traffic

from esteio.limit import Limit

ages = st.one_of(st.integers(0, 3 * PER_US), st.sampled_from([0, 1, PER_US - 1, PER_US, 2 * PER_US, 1000 * PER_US]))
limits = st.one_of(small, st.builds(Limit, st.integers(65, 90), st.just(PER_US / 1e6)))


@given(limits, traffic, st.integers(1, 14), ages)
def test_a_charge_never_leaves_more_than_before_however_old_it_is(
    limit: Limit, hits: list[tuple[int, int]], cost: int, age: int
) -> None:
    meter = Meter(limit).run(hits)
    afterwards = range(0, 3 * PER_US, PER_US // 7)
    before = [meter.look(after).remaining for after in afterwards]
    meter.state = limit.rule.charge(meter.state, meter.now, cost, limit, age)
    assert all(meter.look(after).remaining <= was for after, was in zip(afterwards, before, strict=True))


@given(limits, st.integers(1, 14), ages)
def test_of_an_unused_key_a_charge_counts_as_a_hit_of_its_time_would(limit: Limit, cost: int, age: int) -> None:
    cost = min(cost, limit.rate)
    then = Meter(limit)
    then.hit(cost)
    now = Meter(limit, now=then.now + age)
    now.state = limit.rule.charge((), now.now, cost, limit, age)
    for after in range(0, 3 * PER_US, PER_US // 7):
        assert now.look(after).remaining == then.look(age + after).remaining


@given(limits, traffic, st.integers(1, 14), st.integers(2 * PER_US, 1000 * PER_US))
def test_a_charge_that_would_not_count_any_more_changes_nothing(
    limit: Limit, hits: list[tuple[int, int]], cost: int, age: int
) -> None:
    meter = Meter(limit).run(hits)
    before = meter.look().remaining
    meter.state = limit.rule.charge(meter.state, meter.now, min(cost, limit.rate), limit, age)
    if limit.algorithm == "gcra":  # its bucket may have been as full then as it is now
        assert before - cost <= meter.look().remaining <= before
    else:
        assert meter.look().remaining == before


def test_a_charge_of_exactly_one_period_ago_changes_nothing_any_more() -> None:
    for name, periods in (("window", 1), ("fixed", 1), ("counter", 2)):
        limit = Limit(10, PER_US / 1e6, algorithm=name)  # type: ignore[arg-type]
        meter = Meter(limit).run([(0, 1)])
        assert limit.rule.charge(meter.state, meter.now, 1, limit, periods * PER_US) == meter.state, name


def test_a_charge_to_a_bucket_that_has_run_dry_since_adds_to_what_was_in_it_rounded_up() -> None:
    for rate, part in ((7, 3), (5, 0), (3, 2)):  # the one hit leaks until 1428 4/7, 2000, 3333 1/3 microseconds later
        limit = Limit(rate, PER_US / 1e6, algorithm="gcra")
        meter = Meter(limit).run([(0, 1)])
        then, age = meter.now, PER_US // 2
        assert limit.rule.charge(meter.state, then + age, rate - 1, limit, age) == (then + PER_US, part, rate, PER_US)
        dry = then + PER_US
        assert limit.rule.charge(meter.state, dry + age, rate, limit, age) == (dry + PER_US, 0, rate, PER_US)


def test_a_charge_of_the_moment_a_window_began_is_one_of_that_window() -> None:
    limit = Limit(10, PER_US / 1e6, algorithm="counter")
    meter = Meter(limit).run([(0, 1)])
    start = meter.now
    assert limit.rule.charge(meter.state, start + 100, 2, limit, 100) == (start, 3, 0)
    assert limit.rule.charge(meter.state, start + 100, 2, limit, 101) == (start, 1, 2)
    assert limit.rule.charge(meter.state, start + 100, 2, limit, 100 + PER_US) == (start, 1, 2)
    assert limit.rule.charge(meter.state, start + 100, 2, limit, 101 + PER_US) == (start, 1, 0)


def test_ten_used_elsewhere_stay_used_when_a_charge_of_fifteen_seconds_ago_arrives() -> None:
    for name in NAMES:
        limit = Limit(10, 10, algorithm=name)  # type: ignore[arg-type]
        meter = Meter(limit, now=10**9).run([(0, 10)])
        meter.state = limit.rule.charge(meter.state, meter.now, 1, limit, 15_000_000)
        assert not meter.look(cost=1).allowed, name
