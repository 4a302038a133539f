"""The window is exact: any interval, any traffic. Checked against a list of all that was admitted."""

from hypothesis import example, given
from hypothesis import strategies as st
from traffic import PER_US, Meter, gaps, traffic

from esteio.limit import Limit
from esteio.limit._algorithms._window import _REBASE, CELLS

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


def test_a_key_whose_sums_are_made_small_again_goes_on_as_before() -> None:
    small, large = (Meter(Limit(9, PER_US / 1e6)).run([(0, 2), (100, 3), (100, 4)]) for _ in range(2))
    large.state = tuple(n + _REBASE if place % 2 == 0 else n for place, n in enumerate(large.state))
    for gap in (PER_US - 200, 0, 0, 100, 0, 50, 50, 0, PER_US):
        small.now += gap
        large.now += gap
        assert large.look() == small.look()
        assert large.hit() == small.hit()
        assert max(large.state[::2]) < 20


def test_a_clock_set_back_by_more_than_a_period_keeps_all_that_counts_used_for_one_period() -> None:
    meter = Meter(Limit(9, PER_US / 1e6)).run([(0, 1), (100, 2)])
    meter.now -= PER_US
    assert meter.limit.rule.charge(meter.state, meter.now, 1, meter.limit, 0) == (*meter.state[:-1], 4)
    meter.now -= 1
    answer = meter.look()
    assert (answer.remaining, answer.reset) == (6, PER_US)
    assert meter.limit.rule.charge(meter.state, meter.now, 1, meter.limit, 0) == (0, meter.now, 4)


def test_charges_above_64_share_a_cell_within_a_grain_only_and_leave_though_they_never_pause() -> None:
    limit = Limit(100, PER_US / 1e6)
    grain = limit.grain_us
    begins = 7_000 * grain
    for last, at, shared in (
        (begins, begins, True),
        (begins, begins + 1, True),
        (begins + 1, begins + grain - 1, True),
        (begins - 1, begins, False),
        (begins + grain - 1, begins + grain + 1, False),
        (begins, begins + grain, False),
    ):
        charged = limit.rule.charge((0, last, 1), at, 1, limit, 0)
        assert charged == ((0, at, 2) if shared else (0, last, 1, at, 2))
    meter = Meter(Limit(100_000, PER_US / 1e6))
    for _ in range(3 * PER_US // 7):
        meter.now += 7
        meter.state = meter.limit.rule.charge(meter.state, meter.now, 1, meter.limit, 0)
        assert len(meter.state) <= 2 * CELLS
    assert meter.look().remaining >= 100_000 - (PER_US + grain) // 7 - 1


def test_a_charge_to_a_key_without_room_is_counted_with_its_newest_hit() -> None:
    meter = Meter(Limit(64, PER_US / 1e6)).run([(10, 1)] * 64)
    meter.now += 10
    charged = meter.limit.rule.charge(meter.state, meter.now, 1, meter.limit, 0)
    assert charged == (*meter.state[:-2], meter.now, 65)


def test_a_refund_is_taken_from_what_still_counts_and_empty_cells_go() -> None:
    meter = Meter(Limit(9, PER_US / 1e6)).run([(0, 3), (100, 3), (100, 2)])
    first, second, third = (each.at for each in meter.asked)
    assert meter.limit.rule.refund(meter.state, third, 3, meter.limit) == (3, second, 6, third, 8)
    assert meter.limit.rule.refund(meter.state, third, 4, meter.limit) == (4, second, 6, third, 8)
    assert meter.limit.rule.refund(meter.state, first + PER_US, 3, meter.limit) == (6, third, 8)
