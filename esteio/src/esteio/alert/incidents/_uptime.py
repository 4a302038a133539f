"""How long the service was up, and how often it was not. Pure.

Promises: weighted by time, not by checks; the time nobody observed is shown and belongs to neither side; maintenance is apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from esteio.alert.incidents._incident import Incident
from esteio.health.series import Interval, State

__all__ = ["PERIODS", "Reliability", "Uptime", "reliability", "uptime"]

_DAY = 86_400
PERIODS = (_DAY, 7 * _DAY, 30 * _DAY, 90 * _DAY, 365 * _DAY)
"""Seconds over which uptime is usually told."""


@dataclass(frozen=True, slots=True)
class Uptime:
    """The seconds in each state over `period` seconds; together they are the period."""

    period: float
    seconds: Mapping[State, float]

    @property
    def ratio(self) -> float | None:
        """The share of the observed time, outside of maintenance, in which it was up or degraded; None of no such time."""
        up = self.seconds[State.UP] + self.seconds[State.DEGRADED]
        known = up + self.seconds[State.DOWN]
        return up / known if known else None


def uptime(
    period: float, now: float, intervals: Sequence[Interval], days: Mapping[int, Mapping[State, float]] | None = None
) -> Uptime:
    """Over the `period` seconds that end `now`, Unix seconds.

    `intervals`, in order, count to the second. Where the period begins before them, `days` count: the seconds in each state by
    the beginning of the UTC day; of the day in which the period begins, in proportion to the part that is in it.
    """
    begin = now - period
    first = intervals[0].since if intervals else now
    found = dict.fromkeys(State, 0.0)
    edge = begin
    if days and first > begin:
        edge = min(now, ceil(first / _DAY) * _DAY)  # the first day of the intervals is whole in `days`
        for day, states in days.items():
            part = (min(day + _DAY, edge) - max(day, begin)) / (min(day + _DAY, edge) - day) if day < edge else 0.0
            for state, seconds in states.items() if part > 0 else ():
                found[state] += seconds * part
    for interval in intervals:
        found[interval.state] += max(0.0, min(now, interval.until) - max(edge, interval.since))
    found[State.UNKNOWN] += max(0.0, period - sum(found.values()))
    return Uptime(period, found)


@dataclass(frozen=True, slots=True)
class Reliability:
    """Of the incidents outside of maintenance that ended, in seconds; None where there were none.

    `mttr` is the mean duration, `mtbf` the observed time up for each of them, `detection` the mean delay until it was seen.
    """

    count: int
    mttr: float | None
    mtbf: float | None
    detection: float | None


def reliability(incidents: Iterable[Incident], observed: Uptime) -> Reliability:
    """What `incidents`, those of the period of `observed`, say together."""
    counted = [each for each in incidents if not each.maintenance and each.ended is not None]
    if not counted:
        return Reliability(0, None, None, None)
    up = observed.seconds[State.UP] + observed.seconds[State.DEGRADED]
    return Reliability(
        len(counted),
        sum(each.duration(each.ended or 0.0) for each in counted) / len(counted),
        up / len(counted),
        sum(each.detection_delay for each in counted) / len(counted),
    )
