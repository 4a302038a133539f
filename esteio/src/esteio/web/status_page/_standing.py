"""How the service stands, as the public may know it. Reads the history; nothing here raises for what is away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from esteio.health import HistoryReader, Status
from esteio.health.series import SERVICE, Interval, State, availability
from esteio.maintenance import Notice

__all__ = ["DAYS", "WINDOWS", "Standing", "standing_of"]

DAY = 86_400.0
DAYS = 90
WINDOWS = {"24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": DAYS * DAY}
_PUBLIC = {State.DEGRADED: State.UP}
_STATES = {Status.PASS: State.UP, Status.WARN: State.UP, Status.FAIL: State.DOWN, Status.UNKNOWN: State.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Standing:
    """As of `at`, Unix seconds. `state` is never DEGRADED."""

    at: float
    state: State
    since: float | None
    """Since when; None where nobody knows."""
    until: datetime | None
    """When the maintenance is expected to end."""
    intervals: Sequence[Interval]
    """Of 90 days, without reasons."""
    shares: Mapping[str, float | None]
    """The share of the observed time, outside of maintenance, in which it was up: of 24h, 7d, 30d, 90d."""
    observed: Mapping[str, float]
    """Of each of them, the seconds that were observed: a share of a few minutes says little of 90 days."""


def standing_of(status: Status, notice: Notice | None, history: HistoryReader | None, now: float) -> Standing:
    """What a report and the history say together; the report is newer."""
    state = State.MAINTENANCE if notice is not None else _STATES[status]
    found = history.intervals(now - DAYS * DAY, now, only=SERVICE).get(SERVICE, ()) if history is not None else ()
    intervals = [Interval(_PUBLIC.get(i.state, i.state), i.since, i.until) for i in found]
    windows = {name: _cut(intervals, now - seconds) for name, seconds in WINDOWS.items()}
    up = {name: availability(within) for name, within in windows.items()}
    observed = {
        name: sum(i.until - i.since for i in within if i.state is not State.UNKNOWN) for name, within in windows.items()
    }
    since = notice.since.timestamp() if notice is not None else _since(intervals, state)
    return Standing(now, state, since, notice.until if notice is not None else None, intervals, up, observed)


def _since(intervals: Sequence[Interval], state: State) -> float | None:
    """When the newest intervals in this state began; None when the history does not say so yet."""
    lasting = list(takewhile(lambda interval: interval.state is state, reversed(intervals)))
    return lasting[-1].since if lasting else None


def _cut(intervals: Sequence[Interval], since: float) -> list[Interval]:
    return [Interval(i.state, max(i.since, since), i.until) for i in intervals if i.until > since]
