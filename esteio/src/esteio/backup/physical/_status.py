"""How the log archive is, as a frozen record, and what of it is bad. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from esteio.backup._problem import Problem, Trouble
from esteio.backup.physical._segments import Segment

__all__ = ["WalStatus"]

_LATE = 60.0  # seconds a complete segment may wait for the stores
_SILENT = 60.0  # seconds without anything received: several heartbeats
_LEAST_FREE = 1 << 30


@dataclass(frozen=True, slots=True)
class WalStatus:
    """Of one archive, measured at `at` (seconds since the epoch)."""

    at: float
    receiving: bool
    lag: int | None
    """Bytes of the log the server has and we have not made durable; None when the server can't be asked."""
    received_at: float | None
    """When something was last received, seconds since the epoch; None before the first byte."""
    waiting: int
    """Complete segments that are in no store yet."""
    waited: float
    """Seconds the oldest of them waits."""
    gaps: tuple[tuple[Segment, Segment], ...]
    """First and last of each run that is missing."""
    free: int
    """Bytes free where the log is received."""
    slot: str
    """PostgreSQL's wal_status of the slot: reserved, extended, unreserved, lost; missing, unknown."""
    error: str = ""
    """Why the last attempt to ship failed."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is bad; none is green."""
        found = [Problem.of(Trouble.LOG_GAP, first=first.name, last=last.name) for first, last in self.gaps]
        if not self.receiving:
            found.append(Problem.of(Trouble.LOG_NOT_RECEIVED))
        elif self.received_at is not None and self.at - self.received_at > _SILENT:
            found.append(Problem.of(Trouble.LOG_SILENT, seconds=self.at - self.received_at))
        if self.waited > _LATE:
            found.append(Problem.of(Trouble.LOG_WAITS, count=self.waiting, seconds=self.waited))
        if self.error:
            found.append(Problem.of(Trouble.LOG_NOT_SHIPPED, reason=self.error))
        if self.free < _LEAST_FREE:
            found.append(Problem.of(Trouble.LOG_NO_SPACE, free=self.free >> 20))
        if self.slot in ("unreserved", "lost", "missing"):
            found.append(Problem.of(Trouble.LOG_SLOT, slot=self.slot))
        return tuple(found)
