"""Counting of failed and slow calls: consecutive, in the last N calls, in the last seconds. Pure.

`quiet` tells that there is nothing to remember, so that the caller may leave successes out: it passes the
running number of the call (`at`), and the gaps are the successes.
"""

# ruff: noqa: ARG002 - one protocol, three ways of counting
from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from esteio.policy._parameters import count, seconds

__all__ = ["CountWindow", "FailureWindow", "Rates", "TimeWindow", "failure_window"]

_SLICES = 20  # of a TimeWindow: its calls leave it in steps of 1/20


@dataclass(frozen=True, slots=True)
class CountWindow:
    """The last `size` calls; nothing opens before `minimum` of them are known. Memory: the failures among them."""

    size: int = 100
    minimum: int = 10

    def __post_init__(self) -> None:
        count("CountWindow", "size", self.size)
        count("CountWindow", "minimum", self.minimum)
        if self.minimum > self.size:
            msg = f"CountWindow: minimum={self.minimum} is above size={self.size}, so it could never open; lower it"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """The calls of the last `seconds`, to 1/20 of it; nothing opens before `minimum` of them are known."""

    seconds: float = 60.0
    minimum: int = 10

    def __post_init__(self) -> None:
        seconds("TimeWindow", "seconds", self.seconds)
        count("TimeWindow", "minimum", self.minimum)


class Rates(Protocol):
    """The shares of a window that open a circuit."""

    @property
    def failure_rate(self) -> float:
        """Of failed calls."""
        ...

    @property
    def slow_rate(self) -> float:
        """Of slow calls."""
        ...


class FailureWindow(Protocol):
    """What a closed circuit remembers."""

    quiet: bool

    def add(self, at: int, now: float, failed: bool, slow: bool) -> None:
        """Take in call number `at`, ended at `now`."""
        ...

    def amend(self, at: int, now: float) -> None:
        """A call that was counted as slow while it ran has failed too."""
        ...

    def tripped(self, at: int, now: float) -> str | None:
        """Why the circuit must open, or None."""
        ...


class _Consecutive:
    __slots__ = ("limit", "quiet", "streak")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.streak = 0
        self.quiet = True

    def add(self, at: int, now: float, failed: bool, slow: bool) -> None:
        self.streak = self.streak + 1 if failed else 0
        self.quiet = not failed

    def amend(self, at: int, now: float) -> None:
        self.add(at, now, True, False)

    def tripped(self, at: int, now: float) -> str | None:
        return f"{self.streak} failures in a row" if self.streak >= self.limit else None


def _judge(total: int, failed: int, slow: int, rates: Rates) -> str | None:
    if failed >= total * rates.failure_rate and failed:
        return f"{failed} of {total} calls failed"
    if slow >= total * rates.slow_rate and slow:
        return f"{slow} of {total} calls were slow"
    return None


class _LastCalls:
    __slots__ = ("failed", "minimum", "quiet", "rates", "size", "slow", "start")

    def __init__(self, rates: Rates, window: CountWindow, start: int) -> None:
        self.rates = rates
        self.size = window.size
        self.minimum = window.minimum
        self.start = start
        self.failed: deque[int] = deque()
        self.slow: deque[int] = deque()
        self.quiet = True

    def add(self, at: int, now: float, failed: bool, slow: bool) -> None:
        if failed:
            self.failed.append(at)
        if slow:
            self.slow.append(at)
        for marks in (self.failed, self.slow):
            while marks and marks[0] <= at - self.size:
                marks.popleft()
        self.quiet = not self.failed and not self.slow

    def amend(self, at: int, now: float) -> None:
        self.add(at, now, True, False)

    def tripped(self, at: int, now: float) -> str | None:
        total = min(at - self.start, self.size)
        if total < self.minimum:
            return None
        return _judge(total, min(len(self.failed), total), len(self.slow), self.rates)


class _LastSeconds:
    __slots__ = ("minimum", "quiet", "rates", "slices", "width")

    def __init__(self, rates: Rates, window: TimeWindow) -> None:
        self.rates = rates
        self.minimum = window.minimum
        self.width = window.seconds / _SLICES
        self.slices: deque[list[int]] = deque()  # [number of the slice, calls, failed, slow]
        self.quiet = False  # each success has its moment, so none may be left out

    def _slice(self, now: float) -> list[int]:
        number = int(now / self.width)
        while self.slices and self.slices[0][0] <= number - _SLICES:
            self.slices.popleft()
        if not self.slices or self.slices[-1][0] != number:
            self.slices.append([number, 0, 0, 0])
        return self.slices[-1]

    def add(self, at: int, now: float, failed: bool, slow: bool) -> None:
        current = self._slice(now)
        current[1] += 1
        current[2] += failed
        current[3] += slow

    def amend(self, at: int, now: float) -> None:
        self._slice(now)[2] += 1

    def tripped(self, at: int, now: float) -> str | None:
        self._slice(now)
        _, total, failed, slow = map(sum, zip(*self.slices, strict=True))
        return _judge(total, min(failed, total), slow, self.rates) if total >= self.minimum else None


def failure_window(window: CountWindow | TimeWindow | None, failures: int, rates: Rates, start: int) -> FailureWindow:
    """The counting that a breaker asks for, empty, when `start` calls have ended before."""
    match window:
        case None:
            return _Consecutive(failures)
        case CountWindow():
            return _LastCalls(rates, window, start)
        case TimeWindow():
            return _LastSeconds(rates, window)
