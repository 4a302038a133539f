"""Traffic that hypothesis makes up, and an algorithm run on it."""

from dataclasses import dataclass

from hypothesis import strategies as st

from esteio.limit import Limit
from esteio.limit._algorithms import State

NAMES = ("window", "counter", "gcra", "fixed")
PER_US = 10_000
Gap = int
Cost = int

small = st.builds(Limit, st.integers(1, 12), st.just(PER_US / 1e6), algorithm=st.sampled_from(NAMES))
gaps = st.one_of(st.just(0), st.integers(0, 400), st.integers(0, 2 * PER_US), st.sampled_from([PER_US, PER_US - 1]))
costs = st.one_of(st.just(1), st.integers(1, 14))
traffic = st.lists(st.tuples(gaps, costs), max_size=60)


@dataclass
class Asked:
    """One hit and what was said."""

    at: int
    cost: int
    allowed: bool
    remaining: int
    reset: int
    retry: int


class Meter:
    """One key of one limit at a time that is moved by hand."""

    def __init__(self, limit: Limit, now: int = 1_000_000) -> None:
        self.limit = limit
        self.now = now
        self.state: State = ()
        self.asked: list[Asked] = []

    def hit(self, cost: int = 1) -> Asked:
        self.state, *said = self.limit.decide(self.state, self.now, cost)
        answer = Asked(self.now, cost, *said)
        self.asked.append(answer)
        return answer

    def look(self, after: int = 0, cost: int = 0) -> Asked:
        _, *said = self.limit.decide(self.state, self.now + after, cost)
        return Asked(self.now + after, cost, *said)

    def run(self, traffic: list[tuple[Gap, Cost]]) -> "Meter":
        for gap, cost in traffic:
            self.now += gap
            self.hit(cost)
        return self

    def used(self, since: int, until: int) -> int:
        """What was admitted in (since, until]."""
        return sum(each.cost for each in self.asked if each.allowed and since < each.at <= until)
