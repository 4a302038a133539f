"""Exact sliding window: never more than `rate` in any interval [t, t + per).

State: (base, time, sum, time, sum, ...), one pair a cell: the time of its latest hit and all that was used up to
and with it; what counts is the last sum minus `base`. Up to a rate of `CELLS` every hit has a cell of its own.
Above, the hits of one grain (`per` / `STEPS`) share a cell, which leaves with its latest hit: then a hit counts
for at most one grain longer than `per`, never shorter. At most 1 + 2 * `CELLS` numbers.
"""

from __future__ import annotations

from esteio.limit._algorithms._verdict import NEVER, Algorithm, Numbers, State, Verdict

__all__ = ["CELLS", "STEPS", "WINDOW"]

CELLS = 64
STEPS = CELLS - 2  # any `per` touches at most STEPS + 1 grains, and one more cell never has to be merged
_FULL = 2 * CELLS  # a state longer than this has no room for another cell
_REBASE = 1 << 40  # sums are made small again above this, long before a double is inexact


def decide(state: State, now: int, cost: int, limit: Numbers) -> Verdict:
    """Judge a hit of `cost`, and charge it when it passes."""
    rate = limit.rate
    per = limit.per_us
    if state and (now - state[1] >= per or state[-2] > now + per):
        state = _current(state, now, per)
    if not state:
        if cost > rate:
            return state, False, rate, 0, NEVER
        return ((0, now, cost), True, rate - cost, per, 0) if cost else (state, True, rate, 0, 0)
    total = state[-1] + cost
    left = rate + state[0] - total
    gap = now - state[-2]
    if left < 0:
        return state, False, max(0, left + cost), per - gap, _retry(state, now, cost, rate, per)
    if not cost:
        return state, True, left, per - gap, 0
    if gap <= 0:
        return state[:-1] + (total,), True, left, per - gap, 0  # noqa: RUF005 - what is fastest, here and below
    grain = limit.grain_us
    if (gap < grain and now % grain >= gap) or len(state) > _FULL:  # the grain of the newest cell, or no room
        return state[:-2] + (now, total), True, left, per, 0  # noqa: RUF005
    return state + (now, total), True, left, per, 0  # noqa: RUF005


def _current(state: State, now: int, per: int) -> State:
    """Without the cells that left; with all in one when the clock is another one."""
    if state[-2] > now + per:
        return state[0], now, state[-1]
    edge = now - per
    if state[-2] <= edge:
        return ()
    first = 1
    while state[first] <= edge:
        first += 2
    base = state[first - 1]
    if base < _REBASE:
        return state[first - 1 :]
    return 0, *(n - base if i % 2 else n for i, n in enumerate(state[first:]))


def _retry(state: State, now: int, cost: int, rate: int, per: int) -> int:
    """Until enough cells have left."""
    if cost > rate:
        return NEVER
    enough = state[-1] + cost - rate
    cell = 2
    while state[cell] < enough:
        cell += 2
    return state[cell - 1] + per - now


def charge(state: State, now: int, cost: int, limit: Numbers, age: int) -> State:
    """Use `cost` whether or not there is room; where newer cells are, with the newest of them."""
    state = _current(state, now, limit.per_us) if state else ()
    if age >= limit.per_us:
        return state
    at = now - age
    if not state:
        return 0, at, cost
    gap = at - state[-2]
    total = state[-1] + cost
    if gap < limit.grain_us and (gap <= 0 or at % limit.grain_us >= gap):
        return *state[:-2], max(at, state[-2]), total
    return (*state[:-2], at, total) if len(state) > _FULL else (*state, at, total)


def refund(state: State, now: int, cost: int, limit: Numbers) -> State:
    """Give back from the oldest cells."""
    state = _current(state, now, limit.per_us) if state else ()
    if not state or state[0] + cost >= state[-1]:
        return ()
    base = state[0] + cost
    first = 1
    while state[first + 1] <= base:
        first += 2
    return base, *state[first:]


def until(state: State, limit: Numbers) -> int:
    """When the newest cell leaves."""
    return state[-2] + limit.per_us if state else 0


WINDOW = Algorithm(decide, charge, refund, until)
