"""When nobody wants to hear of an alert. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

__all__ = ["QuietHours", "Silence"]


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told that an alert whose name fits `pattern` (as of a shell: `disk:*`) opened, until `until`, Unix seconds.

    `by` and `why` are for people.
    """

    pattern: str
    until: float
    by: str = ""
    why: str = ""

    def covers(self, name: str, now: float) -> bool:
        """Whether it holds back the alert `name` at `now`."""
        return now < self.until and fnmatchcase(name, self.pattern)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begin` to `end` by the clocks of `timezone` tickets wait; through midnight where `end` comes first."""

    begin: time
    end: time
    timezone: str = "UTC"

    def __call__(self, now: float) -> bool:
        """Whether `now`, Unix seconds, is in them."""
        local = datetime.fromtimestamp(now, ZoneInfo(self.timezone)).time()
        if self.begin <= self.end:
            return self.begin <= local < self.end
        return local >= self.begin or local < self.end
