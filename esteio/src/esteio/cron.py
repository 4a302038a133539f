"""When something is due: a cron expression in a timezone. Pure: time comes in.

Promises: five fields as in crontab(5), with Debian's rules for summer time: a fixed hour that is skipped comes when the clock
has jumped, one that comes twice comes the first time. What is not understood is refused when it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from esteio.errors import EsteioError
from esteio.extras import needs

with needs("watch"):
    from cronsim import CronSim, CronSimError

__all__ = ["Cron", "CronError", "CronProblem"]


class CronProblem(StrEnum):
    """What is wrong, and what is allowed instead."""

    TIMEZONE = "a timezone such as America/Sao_Paulo, or UTC"
    FIVE_FIELDS = "five fields: minute hour day month weekday"
    FIELDS = "crontab's fields"


class CronError(EsteioError, ValueError):
    """An expression, or a timezone, that is not understood; `reason` says more of FIELDS."""

    def __init__(self, problem: CronProblem, value: str, reason: str = "") -> None:
        self.problem = problem
        self.value = value
        self.reason = reason
        super().__init__(f"{value!r}; allowed: {problem}{f' ({reason})' if reason else ''}")


@dataclass(frozen=True, slots=True)
class Cron:
    """`expression` in `timezone`, a name such as America/Sao_Paulo; CronError when either is not understood."""

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
            raise CronError(CronProblem.TIMEZONE, self.timezone) from None

    def _from(self, at: float, *, reverse: bool = False) -> CronSim:
        if len(self.expression.split()) != 5:  # cronsim also knows seconds, other schedulers don't
            raise CronError(CronProblem.FIVE_FIELDS, self.expression)
        try:
            return CronSim(self.expression, datetime.fromtimestamp(at, self._zone()), reverse=reverse)
        except CronSimError as error:
            raise CronError(CronProblem.FIELDS, self.expression, str(error)) from None
