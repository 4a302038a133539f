"""When this watcher itself was away: suspended, stopped, or with a clock that leapt. Pure: both clocks come in.

Promises: what leaves less than `GAP` seconds unexplained is no gap. A clock that is set back makes one of no length, in the
new time.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GAP", "Gap", "GapDetector"]

GAP = 30.0  # seconds: far longer than an event loop is held up, shorter than any grace worth the name


@dataclass(frozen=True, slots=True)
class Gap:
    """Nobody watched from `begin` to `end`, Unix seconds."""

    begin: float
    end: float


class GapDetector:
    """Compares two looks: between them, both clocks have to have moved by as much, and by little."""

    def __init__(self, wall: float, monotonic: float) -> None:
        self._wall = wall
        self._monotonic = monotonic

    def look(self, wall: float, monotonic: float) -> Gap | None:
        """The gap since the last look; called every few seconds."""
        before, passed = self._wall, monotonic - self._monotonic
        self._wall, self._monotonic = wall, monotonic
        # A suspended machine stops the monotonic clock on Linux, and somebody may set the other one: either is a gap.
        if passed <= GAP and abs(wall - before - passed) <= GAP:
            return None
        return Gap(min(before, wall), wall) if wall >= before else Gap(wall, wall)
