"""Sliding counter: the present window plus a share of the one before, as if its hits had been spread evenly.

What counts of the window before is its sum times what is left of the present window, rounded up, told apart in
grains of `per` / 2**26. Windows follow each other from the key's first hit on. Evenly spread traffic is held to
`rate` in any interval; bursts at the worst moments can pass nearly twice as much within `per`.
State: (start, used, used in the window before).
"""

from __future__ import annotations

from esteio.limit._algorithms._verdict import NEVER, Algorithm, Numbers, State, Verdict

__all__ = ["COUNTER", "GRAINS"]

GRAINS = 1 << 26  # times the largest rate still below 2**53


def decide(state: State, now: int, cost: int, limit: Numbers) -> Verdict:
    """Judge a hit of `cost`, and charge it when it passes."""
    rate = limit.rate
    per = limit.per_us
    start, used, before = _current(state, now, per)
    counted = used + _share(before, start, now, per, limit.grain_us) if before else used
    left = rate - counted - cost
    if left < 0:
        retry = _retry(start, used, before, now, cost, limit)
        kept = (start, used, before) if counted else ()
        return kept, False, max(0, rate - counted), _end(start, used, before, per, now), retry
    if not cost:
        return state, True, left, _end(start, used, before, per, now), 0
    return (start, used + cost, before), True, left, start + 2 * per - now, 0


def _current(state: State, now: int, per: int) -> State:
    """The two windows of `now`; the present one begins now where there is none."""
    if not state:
        return now, 0, 0
    start, used, before = state
    passed = now - start
    if passed >= 2 * per or (passed >= per and not used):
        return now, 0, 0
    if passed >= per:
        return start + per, 0, used
    return (now, used, before) if -passed > per else state


def _share(before: int, start: int, now: int, per: int, grain: int) -> int:
    """What counts of the window before, rounded up."""
    grains = per // grain
    left = min(grains, -((now - start - per) // grain))
    return -(-before * left // grains)


def _end(start: int, used: int, before: int, per: int, now: int) -> int:
    """Until nothing counts."""
    if used:
        return start + 2 * per - now
    return start + per - now if before else 0


def _retry(start: int, used: int, before: int, now: int, cost: int, limit: Numbers) -> int:
    """Until the window before has shrunk enough: the one before now, or else the present one in the next."""
    rate = limit.rate
    if cost > rate:
        return NEVER
    per = limit.per_us
    grain = limit.grain_us
    room = rate - used - cost
    if room < 0:
        start, before, room = start + per, used, rate - cost
    left = room * (per // grain) // before
    return start + per - left * grain - now


def charge(state: State, now: int, cost: int, limit: Numbers, age: int) -> State:
    """Use `cost` whether or not there is room, in the window it falls into."""
    per = limit.per_us
    if age >= 2 * per:
        return state
    start, used, before = _current(state, now, per)
    at = now - age
    if not used and not before:
        return at, cost, 0
    if at >= start:
        return start, used + cost, before
    return (start, used, before + cost) if start - at <= per else (start, used, before)


def refund(state: State, now: int, cost: int, limit: Numbers) -> State:
    """Give back from the window before, where a hit counts least, then from the present one."""
    start, used, before = _current(state, now, limit.per_us)
    older = min(before, cost)
    used = max(0, used - cost + older)
    before -= older
    return (start, used, before) if used or before else ()


def until(state: State, limit: Numbers) -> int:
    """The end of the window after the present one, or of the present one when it is unused."""
    return state[0] + (2 if state[1] else 1) * limit.per_us if state else 0


COUNTER = Algorithm(decide, charge, refund, until)
