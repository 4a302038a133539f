"""When work is announced on what is watched. Pure.

Promises: it is measured all the same, but its time is apart, and nobody is told of what opens; what recovers is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from esteio.cron import Cron

__all__ = ["Window", "end_of_maintenance"]


@dataclass(frozen=True, slots=True)
class Window:
    """Of the probes whose names fit a pattern (as of a shell): from `begin` to `end`, Unix seconds, or from each moment of

    `cron` on for `lasts` seconds.
    """

    patterns: tuple[str, ...]
    reason: str = ""
    begin: float = 0.0
    end: float = 0.0
    cron: Cron | None = None
    lasts: float = 0.0

    def until(self, now: float) -> float | None:
        """When the one that holds at `now` ends; None when none does."""
        begin, end = self.begin, self.end
        if self.cron is not None:
            begin = self.cron.previous(now)
            end = begin + self.lasts
        return end if begin <= now < end else None

    def covers(self, name: str) -> bool:
        """Whether it is of the probe `name`."""
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)


def end_of_maintenance(windows: Iterable[Window], name: str, now: float) -> float | None:
    """When the maintenance of the probe `name` ends; None when there is none at `now`."""
    ends = [end for window in windows if window.covers(name) and (end := window.until(now)) is not None]
    return max(ends, default=None)
