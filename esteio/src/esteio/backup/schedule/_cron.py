"""A cron expression in a timezone. Pure.

Promises: five fields as in crontab(5), with Debian's rules for summer time: a fixed hour that is skipped runs when the
clock has jumped, one that comes twice runs the first time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from esteio.backup._errors import BackupError

__all__ = ["Cron", "ScheduleError"]


class ScheduleError(BackupError, ValueError):
    """A schedule that can't be understood, or not be said in another scheduler's words."""

    def __init__(self, what: str, value: str, allowed: str) -> None:
        self.what = what
        self.value = value
        self.allowed = allowed
        super().__init__(f"schedule: {what} is {value!r}; allowed: {allowed}")


@dataclass(frozen=True, slots=True)
class Cron:
    """`expression` in `timezone`, a name such as America/Sao_Paulo; ScheduleError when either is not understood."""

    expression: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        self.fields()

    def fields(self) -> CronSim:
        """The expression taken apart: `minutes`, `hours`, `days`, `months`, `weekdays` are sets."""
        return self._from(0.0)

    def next(self, after: float) -> float:
        """The first moment later than `after`, in seconds since the epoch."""
        for moment in self._from(after):
            if moment.timestamp() > after:
                return moment.timestamp()
        raise AssertionError(self.expression)  # fields that never come are refused when it is made

    def previous(self, at: float) -> float:
        """The last moment not later than `at`, in seconds since the epoch."""
        for moment in self._from(at + 1, reverse=True):
            if moment.timestamp() <= at:
                return moment.timestamp()
        raise AssertionError(self.expression)

    def _zone(self) -> tzinfo:
        try:
            return UTC if self.timezone == "UTC" else ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ScheduleError("timezone", self.timezone, "a name such as America/Sao_Paulo, or UTC") from None

    def _from(self, at: float, *, reverse: bool = False) -> CronSim:
        if len(self.expression.split()) != 5:  # cronsim also knows seconds, other schedulers don't
            raise ScheduleError("expression", self.expression, "five fields: minute hour day month weekday")
        try:
            return CronSim(self.expression, datetime.fromtimestamp(at, self._zone()), reverse=reverse)
        except CronSimError as error:
            raise ScheduleError("expression", self.expression, f"crontab's fields ({error})") from None
