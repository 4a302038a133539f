"""How the log archive is, as a frozen record, and what of it is bad. Pure."""

from __future__ import annotations

from dataclasses import dataclass

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
    def problems(self) -> tuple[str, ...]:
        """What is bad, in sentences; none is green."""
        said = [f"log missing from {first.name} to {last.name}: make a base backup" for first, last in self.gaps]
        if not self.receiving:
            said.append("the log is not being received")
        elif self.received_at is not None and self.at - self.received_at > _SILENT:
            said.append(f"nothing was received for {self.at - self.received_at:.0f} s")
        if self.waited > _LATE:
            said.append(f"{self.waiting} segments wait for the stores, the oldest for {self.waited:.0f} s")
        if self.error:
            said.append(f"shipping failed: {self.error}")
        if self.free < _LEAST_FREE:
            said.append(f"{self.free >> 20} MiB are left where the log is received")
        if self.slot in ("unreserved", "lost", "missing"):
            said.append(f"the replication slot is {self.slot}: the server may remove the log before it is received")
        return tuple(said)
