"""Counting of failed and slow calls: consecutive, in the last N calls, in the last seconds. Pure.

A tally is asked only when there is something to remember. `quiet` tells that nothing is, so that the caller
may leave successes out: it passes the running number of the call (`at`), and the gaps are the successes.
"""

# ruff: noqa: ARG002 - one protocol, three ways of counting
from __future__ import annotations

from collections import deque
from typing import Protocol

from esteio.policy.breaker._definition import CircuitBreaker, CountWindow, TimeWindow

__all__ = ["Tally", "make_tally"]

_SLICES = 20


class Tally(Protocol):
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


def _judge(total: int, failed: int, slow: int, definition: CircuitBreaker) -> str | None:
    if failed >= total * definition.failure_rate and failed:
        return f"{failed} of {total} calls failed"
    if slow >= total * definition.slow_rate and slow:
        return f"{slow} of {total} calls were slow"
    return None


class _LastCalls:
    __slots__ = ("definition", "failed", "minimum", "quiet", "size", "slow", "start")

    def __init__(self, definition: CircuitBreaker, window: CountWindow, start: int) -> None:
        self.definition = definition
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
        return _judge(total, min(len(self.failed), total), len(self.slow), self.definition)


class _LastSeconds:
    __slots__ = ("definition", "minimum", "quiet", "slices", "width")

    def __init__(self, definition: CircuitBreaker, window: TimeWindow) -> None:
        self.definition = definition
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
        return _judge(total, min(failed, total), slow, self.definition) if total >= self.minimum else None


def make_tally(definition: CircuitBreaker, start: int) -> Tally:
    """The counting that `definition` asks for, empty, when `start` calls have ended before."""
    match definition.window:
        case None:
            return _Consecutive(definition.failures)
        case CountWindow() as window:
            return _LastCalls(definition, window, start)
        case TimeWindow() as window:
            return _LastSeconds(definition, window)
