"""What the history of a host says of the time the service was up, and of what may have caused trouble."""

from __future__ import annotations

from collections.abc import Iterable

from esteio.alert.incidents import PERIODS, Evidence, Uptime, uptime
from esteio.health import HistoryReader
from esteio.health.series import SERVICE, Interval, Mark, State

__all__ = ["evidence_of", "uptime_until", "uptimes"]

_KEPT = 90 * 86_400.0  # seconds of which the history has intervals; of what was before it has days
_CODES = {"version": "deploy", "roll": "deploy", "setting": "settings", "start": "boot"}


def uptimes(history: HistoryReader, now: float, *, check: str = SERVICE) -> list[Uptime]:
    """The service, or one `check`, over each of `PERIODS` that ends `now`, Unix seconds."""
    intervals, days = _observed(history, check, now - _KEPT, now)
    return [uptime(period, now, intervals, days) for period in PERIODS]


def uptime_until(history: HistoryReader, check: str, period: float, until: float) -> Uptime:
    """One `check` over the `period` seconds that end `until`, Unix seconds."""
    return uptime(period, until, *_observed(history, check, until - period, until))


def _observed(
    history: HistoryReader, check: str, since: float, until: float
) -> tuple[list[Interval], dict[int, dict[State, float]]]:
    intervals = history.intervals(since, until, only=check).get(check, [])
    if intervals and intervals[0].state is State.UNKNOWN:  # never seen, or only the days are left of it
        del intervals[0]
    return intervals, history.day_states(check)


def evidence_of(marks: Iterable[Mark]) -> list[Evidence]:
    """What happened, as evidence; deaths and circuits are left out, for the journal has them from who saw them."""
    return [
        # How many workers a roll replaced explains nothing.
        Evidence(mark.at, _CODES[mark.kind], "" if mark.kind == "roll" else mark.name)
        for mark in marks
        if mark.kind in _CODES
    ]
