"""What a pool says about itself, and the events of its life."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

from esteio.events import Event
from esteio.postgres._histogram import Times

__all__ = ["DatabaseLost", "DatabaseRestored", "DatabaseStats", "PoolStats"]


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool's numbers at one moment; counters run since the pool was opened."""

    name: str
    min_size: int
    max_size: int
    size: int
    """Open connections, idle or in use."""
    idle: int
    in_use: int
    connecting: int
    waiting: int
    """Callers in the queue."""
    max_waiting: int
    acquired: int
    """Connections handed out."""
    queued: int
    """Callers that had to wait."""
    wait_seconds: float
    """Sum of their waits."""
    timeouts: int
    """Callers that waited in vain."""
    rejected: int
    """Callers turned away by a full queue."""
    connects: int
    connect_failures: int
    lost: int
    """Connections found broken."""
    down_for: float | None
    """Seconds since the server was last reachable, or None while it is."""
    last_error: str | None
    """Why the last attempt to connect failed."""
    waits: Times
    """How long callers waited for a connection; most do not wait."""
    overdue: int
    """Connections that are out for too long."""
    leaks: int
    """Connections that were out for too long, or were lost by their borrowers and replaced."""


@dataclass(frozen=True, slots=True)
class DatabaseStats(PoolStats):
    """The numbers of the pool for writes, and of what it took to keep promises."""

    failovers: int
    """Times that another server became the one for writes."""
    retried: int
    """Transactions and statements that ran again."""
    resolved_committed: int
    """Commits whose answer was lost and that are committed."""
    resolved_aborted: int
    """Commits whose answer was lost and that are not; `run` did them again."""
    unknown: int
    """Commits of which nobody can tell; each raised CommitUnknown."""

    @classmethod
    def of(cls, pool: PoolStats, **numbers: int) -> Self:
        """The numbers of `pool` and these."""
        every: dict[str, Any] = {field.name: getattr(pool, field.name) for field in fields(pool)} | numbers
        return cls(**every)


@dataclass(frozen=True, slots=True)
class DatabaseLost(Event):
    """The server can no longer be reached."""

    error: str


@dataclass(frozen=True, slots=True)
class DatabaseRestored(Event):
    """The server can be reached again after `seconds`."""

    seconds: float
