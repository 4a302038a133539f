"""What happened in a month, from the history of the host and the file of its alerts.

Promises: months begin and end at midnight by the clocks of the city, also where these change in between. Requests are summed
by whole hours: where a time zone is off by half an hour, so are they. What was observed is exact to the second for 90 days;
older months count the UTC days at their ends in proportion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from esteio.alert.incidents import Incident, Reliability, Uptime, reliability
from esteio.alert.monitor import Alerts, BackupRecord, uptime_until
from esteio.alert.objectives import AVAILABILITY, LATENCY, Budget, Minute, budget
from esteio.errors import EsteioError
from esteio.health import HistoryReader
from esteio.health.series import SERVICE, Interval, Mark, State

__all__ = ["Month", "MonthError", "MonthReport", "month_report"]

_FORM = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_MOST_INCIDENTS = 10_000
_KEPT = 90 * 86_400.0  # seconds of which the history has intervals and marks


class MonthError(EsteioError, ValueError):
    """What was given is no month."""

    def __init__(self, given: str) -> None:
        self.given = given
        super().__init__(f"month={given!r}; allowed: year and month that have begun, such as 2026-11")


@dataclass(frozen=True, slots=True)
class Month:
    """From `begin` to `end`, Unix seconds; `name` is such as 2026-11."""

    name: str
    begin: float
    end: float

    @classmethod
    def parse(cls, given: str, zone: ZoneInfo, now: float) -> Month:
        """The month `given`, by the clocks of `zone`; MonthError where it is none, or has not begun at `now`."""
        found = _FORM.fullmatch(given)
        if found is None or not 1970 < int(found[1]) < 9999:
            raise MonthError(given)
        year, month = int(found[1]), int(found[2])
        begin = datetime(year, month, 1, tzinfo=zone).timestamp()
        if begin > now:
            raise MonthError(given)
        end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone).timestamp()
        return cls(given, begin, end)

    @classmethod
    def of(cls, moment: float, zone: ZoneInfo) -> Month:
        """The month that `moment`, Unix seconds, is in."""
        return cls.parse(f"{datetime.fromtimestamp(moment, zone):%Y-%m}", zone, moment)

    def before(self, zone: ZoneInfo) -> Month:
        """The month before it."""
        return Month.of(self.begin - 1, zone)


@dataclass(frozen=True, slots=True)
class MonthReport:
    """What is known of `month` up to `until`, Unix seconds: its end, or the moment of the report where that is earlier."""

    month: Month
    until: float
    service: Uptime
    checks: Mapping[str, Uptime]
    reliability: Reliability
    budgets: Sequence[Budget]
    """By requests; of availability by the observed time, too."""
    incidents: Sequence[Incident]
    """Those that were in it, the oldest first, also those in maintenance."""
    maintenance: Sequence[Interval]
    backups: Sequence[BackupRecord]
    marks: Sequence[Mark]
    detailed: bool
    """Whether the maintenance and the marks of all of it are still kept; the seconds in each state are for ever."""


def month_report(month: Month, history: HistoryReader, alerts: Alerts, now: float) -> MonthReport:
    """The report, as known at `now`, Unix seconds; blocks while it reads. What can't be read is unknown."""
    until = min(month.end, now)
    period = until - month.begin
    intervals = history.intervals(month.begin, until)
    names = sorted({*intervals, SERVICE})
    checks = {name: uptime_until(history, name, period, until) for name in names}
    incidents = [each for each in reversed(alerts.incidents(month.begin, most=_MOST_INCIDENTS)) if each.began < until]
    service = checks.pop(SERVICE)
    hours = _Hours(alerts, month.begin, until)
    objectives = [replace(each, period=period) for each in (AVAILABILITY, LATENCY)]
    return MonthReport(
        month,
        until,
        service,
        checks,
        reliability(incidents, service),
        [
            *(budget(each, hours, until) for each in objectives),
            budget(objectives[0], hours, until, by_time=True),
        ],
        incidents,
        [
            Interval(each.state, max(each.since, month.begin), min(each.until, until), each.reason)
            for each in intervals.get(SERVICE, ())
            if each.state is State.MAINTENANCE and each.since < until
        ],
        alerts.backups(month.begin, until),
        [mark for mark in history.marks(month.begin) if mark.at < until],
        now - month.begin <= _KEPT,
    )


@dataclass(frozen=True, slots=True)
class _Hours:
    """The hours of the month, for `budget`."""

    alerts: Alerts
    begin: float
    until: float

    def over(self, seconds: float, now: float) -> Minute:  # noqa: ARG002 - the month is the window, whatever is asked
        return self.alerts.between(self.begin, self.until)
