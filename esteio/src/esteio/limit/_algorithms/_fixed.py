"""Fixed window: `rate` hits from the first hit of a key on, and `rate` again `per` later.

The window begins with the key's own first hit, so that not all keys begin again at the same moment. At the border
of two windows up to twice `rate` can pass within `per`. State: (start, used).
"""

from __future__ import annotations

from esteio.limit._algorithms._verdict import NEVER, Algorithm, Numbers, State, Verdict

__all__ = ["FIXED"]


def decide(state: State, now: int, cost: int, limit: Numbers) -> Verdict:
    """Judge a hit of `cost`, and charge it when it passes."""
    rate = limit.rate
    per = limit.per_us
    start, used = _current(state, now, per)
    end = start + per - now if used else 0
    left = rate - used - cost
    if left < 0:
        return (start, used) if used else (), False, max(0, rate - used), end, NEVER if cost > rate else end
    if not cost:
        return state, True, left, end, 0
    return (start, used + cost), True, left, start + per - now, 0


def _current(state: State, now: int, per: int) -> State:
    """The window `now` is in; it begins now where there is none."""
    if not state:
        return now, 0
    start, used = state
    if now - start >= per:
        return now, 0
    return (now, used) if start - now > per else state


def charge(state: State, now: int, cost: int, limit: Numbers, age: int) -> State:
    """Use `cost` whether or not there is room, in the present window although it may have begun later."""
    if age >= limit.per_us:
        return state
    start, used = _current(state, now, limit.per_us)
    return (start, used + cost) if used else (now - age, cost)


def refund(state: State, now: int, cost: int, limit: Numbers) -> State:
    """Give back in the present window."""
    start, used = _current(state, now, limit.per_us)
    return (start, used - cost) if used > cost else ()


def until(state: State, limit: Numbers) -> int:
    """The end of the window."""
    return state[0] + limit.per_us if state else 0


FIXED = Algorithm(decide, charge, refund, until)
