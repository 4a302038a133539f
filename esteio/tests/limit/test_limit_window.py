"""The window is exact: any interval, any traffic. Checked against a list of all that was admitted."""

from hypothesis import example, given
from hypothesis import strategies as st
from traffic import PER_US, Meter, gaps, traffic

from esteio.limit import Limit
from esteio.limit._algorithms._window import CELLS

exact = st.builds(Limit, st.integers(1, 12), st.just(PER_US / 1e6))
large = st.builds(Limit, st.integers(65, 500), st.just(PER_US / 1e6))
heavy = st.lists(st.tuples(gaps, st.integers(1, 120)), max_size=120)


@given(exact, traffic)
@example(Limit(2, PER_US / 1e6), [(0, 1), (1, 1), (PER_US - 1, 2)])  # of two hits a microsecond apart only one has left
def test_up_to_64_a_hit_passes_exactly_when_the_last_period_has_room(limit: Limit, hits: list[tuple[int, int]]) -> None:
    meter = Meter(limit)
    for gap, cost in hits:
        meter.now += gap
        used = meter.used(meter.now - PER_US, meter.now)
        answer = meter.hit(cost)
        assert answer.allowed == (used + cost <= limit.rate)
        assert answer.remaining == limit.rate - used - (cost if answer.allowed else 0)


def test_sixty_four_hits_leave_one_by_one_each_at_its_microsecond() -> None:
    meter = Meter(Limit(64, PER_US / 1e6)).run([(101, 1)] * 64)
    for number, hit in enumerate(meter.asked):
        leaves = hit.at + PER_US - meter.now
        assert (meter.look(leaves - 1).remaining, meter.look(leaves).remaining) == (number, number + 1)


def test_above_64_hits_that_never_pause_leave_all_the_same() -> None:
    meter = Meter(Limit(100, PER_US / 1e6)).run([(100, 1)] * 100)
    assert meter.look(2 * PER_US // 62).remaining >= 1


@given(large, heavy)
def test_above_64_never_more_than_the_rate_passes_in_any_interval(limit: Limit, hits: list[tuple[int, int]]) -> None:
    meter = Meter(limit).run(hits)
    for each in meter.asked:
        assert meter.used(each.at - PER_US, each.at) <= limit.rate


@given(large, heavy)
def test_above_64_a_hit_counts_at_most_a_sixty_second_part_too_long(limit: Limit, hits: list[tuple[int, int]]) -> None:
    meter = Meter(limit)
    grain = -(-PER_US // 62)
    for gap, cost in hits:
        meter.now += gap
        used = meter.used(meter.now - PER_US - grain, meter.now)
        answer = meter.hit(cost)
        assert answer.allowed or used + cost > limit.rate
        assert answer.allowed == (answer.retry == 0)


@given(large, heavy)
def test_the_memory_of_a_key_is_bounded(limit: Limit, hits: list[tuple[int, int]]) -> None:
    meter = Meter(limit)
    for gap, cost in hits:
        meter.run([(gap, cost)])
        assert len(meter.state) <= 1 + 2 * CELLS


def test_a_key_hit_at_every_moment_needs_no_more_cells_than_it_has() -> None:
    meter = Meter(Limit(100_000, PER_US / 1e6))
    for _ in range(3 * PER_US // 7):
        meter.now += 7
        meter.hit()
        assert len(meter.state) <= 2 * CELLS  # 63 cells: none ever had to be merged


def test_sums_of_a_key_that_never_rests_stay_small() -> None:
    limit = Limit(1 << 26, 0.001)
    meter = Meter(limit)
    for _ in range(40_000):
        meter.now += 1_000
        assert meter.hit(1 << 26).allowed
    assert max(meter.state) < 1 << 42
