"""Counter, gcra and fixed against models that know nothing of integers or of each other."""

from fractions import Fraction
from math import ceil, floor

from hypothesis import example, given
from hypothesis import strategies as st
from traffic import PER_US, Meter, traffic

from esteio.limit import Limit

rates = st.integers(1, 12)


class Fixed:
    def __init__(self, rate: int, per: int) -> None:
        self.rate, self.per, self.windows = rate, per, list[tuple[int, int]]()

    def hit(self, now: int, cost: int) -> bool:
        start, used = self.windows[-1] if self.windows else (now, 0)
        if now >= start + self.per:
            start, used = now, 0
        if used + cost > self.rate:
            return False
        self.windows = [*self.windows[:-1], (start, used + cost)] if used else [*self.windows, (start, cost)]
        return True


class Counter:
    """Hits in numbered windows, counted from a start; the start moves when nothing is left."""

    def __init__(self, rate: int, per: int) -> None:
        self.rate, self.per, self.start = rate, per, 0
        self.windows: dict[int, int] = {}

    def hit(self, now: int, cost: int) -> bool:
        number = (now - self.start) // self.per
        if not self.windows or max(self.windows) < number - 1:
            self.start, self.windows, number = now, {}, 0
        share = 1 - Fraction((now - self.start) % self.per, self.per)
        counted = self.windows.get(number, 0) + ceil(self.windows.get(number - 1, 0) * share)
        if counted + cost > self.rate:
            return False
        self.windows[number] = self.windows.get(number, 0) + cost
        return True


class Bucket:
    """A leaky bucket of real numbers."""

    def __init__(self, rate: int, per: int, burst: int) -> None:
        self.leak, self.burst, self.level, self.at = Fraction(rate, per), burst, Fraction(0), 0

    def hit(self, now: int, cost: int) -> bool:
        self.level = max(Fraction(0), self.level - self.leak * (now - self.at))
        self.at = now
        if self.level + cost > self.burst:
            return False
        self.level += cost
        return True


@given(rates, traffic)
def test_fixed_decides_as_its_model(rate: int, hits: list[tuple[int, int]]) -> None:
    model = Fixed(rate, PER_US)
    for each in Meter(Limit(rate, PER_US / 1e6, algorithm="fixed")).run(hits).asked:
        assert each.allowed == model.hit(each.at, each.cost)


@given(rates, traffic)
@example(2, [(0, 1), (2 * PER_US, 1), (PER_US, 2)])  # the windows begin again after two without a hit, to the moment
def test_counter_decides_as_its_model(rate: int, hits: list[tuple[int, int]]) -> None:
    model = Counter(rate, PER_US)
    for each in Meter(Limit(rate, PER_US / 1e6, algorithm="counter")).run(hits).asked:
        assert each.allowed == model.hit(each.at, each.cost)


@given(rates, st.integers(1, 20), traffic)
@example(3, 3, [(0, 1), (2 * PER_US, 3)])  # a bucket that ran dry has room for all of its burst
def test_gcra_decides_as_a_leaky_bucket(rate: int, burst: int, hits: list[tuple[int, int]]) -> None:
    model = Bucket(rate, PER_US, burst)
    for each in Meter(Limit(rate, PER_US / 1e6, algorithm="gcra", burst=burst)).run(hits).asked:
        assert each.allowed == model.hit(each.at, each.cost)
        assert each.remaining == floor(burst - model.level)
        assert each.reset == ceil(model.level / model.leak)


@given(st.integers(1, 1 << 26), st.integers(0, 366 * 86400 * 10**6), st.integers(1, 1 << 26))
def test_the_grains_of_a_long_counter_are_never_generous(rate: int, passed: int, used: int) -> None:
    limit = Limit(rate, 366 * 86400, algorithm="counter")
    before = min(used, rate)
    state = (1_000 - limit.per_us, before, 0)
    _, _, remaining, _, _ = limit.decide(state, 1_000 + passed % limit.per_us, 0)
    truth = rate - before * (1 - Fraction(passed % limit.per_us, limit.per_us))
    assert truth - 4 < remaining <= truth


@given(st.integers(0, 366 * 86400 * 10**6 - 1), st.integers(1, 9))
def test_the_wait_that_a_long_counter_tells_ends_with_a_grain(passed: int, cost: int) -> None:
    limit = Limit(10, 366 * 86400, algorithm="counter")
    state, now = (1_000, 0, 10), 1_000 + passed  # ten of ten were used in the window before
    _, allowed, _, _, retry = limit.decide(state, now, cost)
    if not allowed:
        assert limit.decide(state, now + retry, cost)[1]
        assert not limit.decide(state, now + retry - 1, cost)[1]
