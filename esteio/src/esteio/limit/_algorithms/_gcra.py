"""GCRA (ITU-T I.371), a leaky bucket: one hit every `per` / `rate`, and up to `capacity` of them at once.

Never more than `capacity` + `rate` * t / `per` in any interval of t. State: (time, part, rate, per): when the
bucket will be empty again, in microseconds and a `part` of one in `rate`, and the definition that holds for. When
the definition changes, what is in the bucket is kept, rounded up to whole hits.

One step is `per` / `rate` microseconds, so all is counted in ticks of 1 / `rate` microseconds, where a step has
`per` of them. That exceeds 2**53: a script without large integers keeps (time, part) apart, and adds
`cost` steps as `cost * (per // rate)` microseconds and `cost * (per % rate)` parts, which does not.
"""

from __future__ import annotations

from esteio.limit._algorithms._verdict import NEVER, Algorithm, Numbers, State, Verdict

__all__ = ["GCRA"]


def decide(state: State, now: int, cost: int, limit: Numbers) -> Verdict:
    """Judge a hit of `cost`, and charge it when it passes."""
    rate = limit.rate
    per = limit.per_us
    used = 0
    if state:  # what `_used` does, without the bound, which only a bucket that is too full can exceed
        time, part, old_rate, old_per = state
        used = (time - now) * rate + part if old_rate == rate and old_per == per else _used(state, now, limit)
        if used < 0:
            used = 0
    room = limit.capacity * per - used
    left = room - cost * per
    if left < 0:
        return _denied(state, now, cost, limit)
    if not cost:
        return state, True, left // per, -(-used // rate), 0
    used += cost * per
    whole = used // rate
    part = used - whole * rate
    return (now + whole, part, rate, per), True, left // per, whole + 1 if part else whole, 0


def _denied(state: State, now: int, cost: int, limit: Numbers) -> Verdict:
    used = _used(state, now, limit) if state else 0
    room = limit.capacity * limit.per_us - used
    retry = NEVER if cost > limit.capacity else -((room - cost * limit.per_us) // limit.rate)
    return _kept(used, now, limit), False, max(0, room // limit.per_us), -(-used // limit.rate), retry


def _used(state: State, now: int, limit: Numbers) -> int:
    """Ticks in the bucket."""
    time, part, rate, per = state
    used = max(0, (time - now) * rate + part)
    if rate != limit.rate or per != limit.per_us:
        used = -(-used // per) * limit.per_us
    return min(used, (limit.capacity + limit.rate) * limit.per_us)  # more was another clock's time


def _kept(used: int, now: int, limit: Numbers) -> State:
    return now + used // limit.rate, used % limit.rate, limit.rate, limit.per_us


def charge(state: State, now: int, cost: int, limit: Numbers, age: int) -> State:
    """Use `cost` whether or not there is room, as of the bucket's level then."""
    used = (_used_then(state, now, limit, age) if state else 0) + cost * limit.per_us
    return _kept(used, now - age, limit)


def _used_then(state: State, now: int, limit: Numbers, age: int) -> int:
    """Ticks in the bucket `age` microseconds ago, with all that came later."""
    used = _used(state, now, limit)
    if used:
        return used + age * limit.rate
    emptied = state[0] + (state[1] > 0)  # a moment: it does not depend on the definition of then
    return max(0, emptied - now + age) * limit.rate


def refund(state: State, now: int, cost: int, limit: Numbers) -> State:
    """Give back steps that have not leaked away."""
    used = (_used(state, now, limit) if state else 0) - cost * limit.per_us
    return _kept(used, now, limit) if used > 0 else ()


def until(state: State, _limit: Numbers) -> int:
    """When the bucket is empty."""
    return state[0] + 1 if state else 0


GCRA = Algorithm(decide, charge, refund, until)
