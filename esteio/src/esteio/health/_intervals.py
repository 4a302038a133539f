"""How something stood over time: states, and the intervals in which they held. Pure.

Promises: a time that nobody observed is unknown, and neither up nor down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Interval", "State", "availability", "filled", "shares"]


class State(StrEnum):
    """How something stood for a time."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Interval:
    """A check stood in `state` from `since` to `until`, Unix seconds."""

    state: State
    since: float
    until: float
    reason: str = ""


def filled(intervals: list[Interval], since: float, now: float, gap: float) -> list[Interval]:
    """Cut to the window, without holes; the last one holds until now unless it is older than `gap`."""
    filled: list[Interval] = []
    at = since
    for interval in intervals:
        begin, end = max(since, interval.since), min(now, interval.until)
        if begin > at:
            filled.append(Interval(State.UNKNOWN, at, begin))
        if end > begin:
            filled.append(Interval(interval.state, begin, end, interval.reason))
        at = max(at, end)
    if at < now:
        last = intervals[-1]
        if now - last.until > gap:
            filled.append(Interval(State.UNKNOWN, at, now))
        else:  # as it was a moment ago
            if last.until > max(since, last.since):  # it is there already, up to the last look
                filled.pop()
            filled.append(Interval(last.state, max(since, last.since), now, last.reason))
    return filled


def shares(intervals: Iterable[Interval]) -> dict[State, float]:
    """Seconds in each state."""
    found = dict.fromkeys(State, 0.0)
    for interval in intervals:
        found[interval.state] += interval.until - interval.since
    return found


def availability(intervals: Iterable[Interval]) -> float | None:
    """The share of the observed time, outside of maintenance, in which it was up or degraded; None of no such time."""
    seconds = shares(intervals)
    up = seconds[State.UP] + seconds[State.DEGRADED]
    known = up + seconds[State.DOWN]
    return up / known if known else None
