"""A refund is never generous while the refunded hit still counts, and never below zero."""

from hypothesis import given
from hypothesis import strategies as st
from traffic import NAMES, PER_US, Meter, gaps, small

from esteio.limit import Limit

steps = st.lists(st.tuples(gaps, st.integers(1, 5), st.booleans()), max_size=40)


@given(st.one_of(st.integers(1, 12), st.integers(65, 90)), steps)
def test_of_a_window_what_was_not_given_back_keeps_to_the_rate_in_any_interval(
    rate: int, steps: list[tuple[int, int, bool]]
) -> None:
    limit = Limit(rate, PER_US / 1e6)
    meter = Meter(limit)
    for gap, cost, give_back in steps:
        meter.run([(gap, cost)])
        open_ = [each for each in meter.asked if each.allowed and each.at > meter.now - PER_US]
        if give_back and open_:
            lucky = open_[len(open_) // 2]
            meter.state = limit.rule.refund(meter.state, meter.now, lucky.cost, limit)
            lucky.allowed = False
        for each in meter.asked:
            assert meter.used(each.at - PER_US, each.at) <= rate


@given(st.sampled_from(["counter", "fixed"]), st.integers(3, 12), steps)
def test_of_windows_no_more_is_left_than_without_the_refunded_hit(
    name: str, rate: int, steps: list[tuple[int, int, bool]]
) -> None:
    limit = Limit(rate, PER_US / 1e6, algorithm=name)
    meter = Meter(limit).run([(0, 1)])
    start = meter.now
    for gap, cost, give_back in steps[:8]:
        meter.now = min(meter.now + gap, start + (2 * PER_US - 1 if name == "counter" else PER_US - 1))
        answer = meter.hit(cost)
        if give_back and answer.allowed:  # of the hits of a window it does not matter which one
            meter.state = limit.rule.refund(meter.state, meter.now, cost, limit)
            answer.allowed = False
        border = start + PER_US if name == "counter" else start + 10 * PER_US
        before = sum(each.cost for each in meter.asked if each.allowed and each.at < border)
        present = sum(each.cost for each in meter.asked if each.allowed and each.at >= border)
        if meter.now < border:
            assert meter.look().remaining == rate - before
        else:
            truth = rate - present - -(-before * (border + PER_US - meter.now) // PER_US)
            assert meter.look().remaining <= max(0, truth)


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 900), st.integers(1, 5)), max_size=30), st.data())
def test_of_a_bucket_no_more_is_left_than_without_the_refunded_hit(
    rate: int, hits: list[tuple[int, int]], data: st.DataObject
) -> None:
    limit = Limit(rate, PER_US / 1e6, algorithm="gcra", burst=200)
    meter, truth = Meter(limit).run([(0, 60)]), Meter(limit).run([(0, 60)])  # so much that it never runs dry
    lucky = data.draw(st.integers(0, max(0, len(hits) - 1)))
    for number, (gap, cost) in enumerate(hits[:8]):
        meter.run([(gap, cost)])
        truth.now += gap
        if number != lucky:
            truth.hit(cost)
    if lucky < len(hits[:8]):
        meter.state = limit.rule.refund(meter.state, meter.now, hits[lucky][1], limit)
    assert meter.look().remaining <= truth.look().remaining


@given(small, steps, st.integers(1, 100))
def test_a_refund_of_more_than_was_used_leaves_nothing_used(
    limit: Limit, steps: list[tuple[int, int, bool]], more: int
) -> None:
    meter = Meter(limit).run([(gap, cost) for gap, cost, _ in steps])
    meter.state = limit.rule.refund(meter.state, meter.now, 2 * limit.rate + more, limit)
    assert meter.look().remaining == limit.rate


def test_a_refund_gives_back_exactly_its_cost_at_once() -> None:
    for name in NAMES:
        limit = Limit(9, PER_US / 1e6, algorithm=name)
        meter = Meter(limit).run([(0, 4), (0, 3)])
        meter.state = limit.rule.refund(meter.state, meter.now, 4, limit)
        assert meter.look().remaining == 6, name


def test_a_key_whose_only_hit_was_given_back_is_as_unused_as_a_new_one() -> None:
    for name in NAMES:
        limit = Limit(3, PER_US / 1e6, algorithm=name)  # type: ignore[arg-type]
        meter = Meter(limit).run([(0, 2)])
        for later in (0, 100):
            assert limit.rule.refund(meter.state, meter.now + later, 2, limit) == (), name
        assert limit.rule.until((), limit) == 0, name


def test_of_a_bucket_the_last_third_of_a_microsecond_is_kept() -> None:
    limit = Limit(3, PER_US / 1e6, algorithm="gcra")
    assert limit.rule.refund((3333, 2, 3, PER_US), 0, 1, limit) == (0, 1, 3, PER_US)
