"""How many requests there were, minute by minute, and how long the probes said no. Pure.

Promises: the sum over any window is exact to the minute, in logarithmic time; what is older than `keep` is forgotten.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

__all__ = ["Ledger", "Minute", "Sums", "Tally"]

_MINUTE = 60
_TRIM = 1440  # minutes that may be there beyond what is kept, so that it isn't cut at each of them


@dataclass(frozen=True, slots=True)
class Minute:
    """What was counted in the minute from `at` on, Unix seconds.

    `requests` that ended, without those that were cancelled; how many of them `failed` (5xx), and how many were `slow`.
    `seen` and `down`: seconds for which the probes were answered or not, and for which not; without maintenance.
    """

    at: int
    requests: int = 0
    failed: int = 0
    slow: int = 0
    seen: float = 0.0
    down: float = 0.0

    def plus(self, other: Minute) -> Minute:
        """Both together, at this one's moment."""
        return Minute(
            self.at, self.requests + other.requests, self.failed + other.failed, self.slow + other.slow,
            self.seen + other.seen, self.down + other.down,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tally:
    """How much of what was bad; `total` is requests, or seconds where there were no requests (`timed`)."""

    total: float
    bad: float
    timed: bool = False

    @property
    def ratio(self) -> float | None:
        """The share that was bad; None of nothing."""
        return self.bad / self.total if self.total else None


class Sums(Protocol):
    """Minutes, wherever they are kept."""

    def over(self, seconds: float, now: float) -> Minute:
        """The sum over the last `seconds` before `now`, Unix seconds; the minute in which they begin counts whole."""


class Ledger:
    """The minutes of the last `keep` seconds."""

    def __init__(self, minutes: Iterable[Minute] = (), *, keep: float = 31 * 86_400.0) -> None:
        self._most = int(keep / _MINUTE)
        self._minutes: list[Minute] = []
        self._at: list[int] = []
        self._sums: list[Minute] = [Minute(0)]  # of all minutes before each one
        for minute in minutes:
            self.add(minute)

    def add(self, minute: Minute) -> list[Minute]:
        """Add to the minute of `minute.at`; the minutes that this changed, the whole of each, in order."""
        at = minute.at - minute.at % _MINUTE
        changed = self._set_back(at) if self._at and at < self._at[-1] else []
        if self._at and at == self._at[-1]:
            self._sums.pop()
            self._at.pop()
            minute = self._minutes.pop().plus(minute)
            changed = changed[:-1]
        minute = Minute(at, minute.requests, minute.failed, minute.slow, minute.seen, minute.down)
        self._append(minute)
        if len(self._at) > self._most + _TRIM:
            self._rebuild(self._minutes[-self._most :])
        return [*changed, minute]

    def over(self, seconds: float, now: float) -> Minute:
        """The sum over the last `seconds`; the minute in which they begin counts whole."""
        begin = bisect_left(self._at, int(now - seconds) // _MINUTE * _MINUTE)
        before, all_ = self._sums[begin], self._sums[-1]
        return Minute(
            int(now - seconds), all_.requests - before.requests, all_.failed - before.failed, all_.slow - before.slow,
            max(0.0, all_.seen - before.seen), max(0.0, all_.down - before.down),
        )  # fmt: skip

    def _append(self, minute: Minute) -> None:
        self._minutes.append(minute)
        self._at.append(minute.at)
        self._sums.append(self._sums[-1].plus(minute))

    def _set_back(self, at: int) -> list[Minute]:
        """The clock was set back to `at`: the minutes after it are the last that passed, and are moved to end there.

        Left where they are they would be in every window until the clock is there again.
        """
        shift, first = self._at[-1] - at, bisect_right(self._at, at)
        minutes = {each.at: each for each in self._minutes[:first]}
        moved = [replace(each, at=each.at - shift) for each in self._minutes[first:]]
        for each in moved:
            minutes[each.at] = minutes[each.at].plus(each) if each.at in minutes else each
        self._rebuild([minutes[key] for key in sorted(minutes)])
        return [minutes[each.at] for each in moved]

    def _rebuild(self, minutes: Iterable[Minute]) -> None:
        self._minutes, self._at, self._sums = [], [], [Minute(0)]
        for minute in minutes:
            self._append(minute)
