"""What was measured up to one moment, by all workers together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from esteio.health._latency import BUCKETS, Latency
from esteio.health._region import Field, Key, Region
from esteio.health._samples import Family

__all__ = ["CANCELLED", "HTTP", "LAG", "WEBSOCKET", "WEBSOCKET_HANDSHAKE", "Reading", "WorkerReading"]

HTTP = "http"
"""The kind of a series that counts requests; its outcome is 1xx to 5xx, or `CANCELLED`."""
LAG = "lag"
"""The kind of the series that counts how late the event loop was."""
WEBSOCKET_HANDSHAKE = "websocket handshake"
"""The kind of a series that counts opened WebSockets; its outcome is accepted, refused, error or `CANCELLED`."""
WEBSOCKET = "websocket"
"""The kind of a series that counts accepted WebSockets; its outcome is the code they closed with, or `CANCELLED`."""
CANCELLED = "cancelled"
"""The outcome of a request whose answer nobody waited for any more."""


@dataclass(frozen=True, slots=True)
class WorkerReading:
    """A process that lives. Moments in Unix seconds, memory in bytes."""

    slot: int
    pid: int
    started: float
    updated: float
    """When it last wrote the numbers below: a stopped or blocked process is late."""
    active: int
    """Requests that it is answering."""
    lag: float
    """The most that its event loop was late in the last ten seconds, in seconds."""
    memory: int
    """Resident."""
    cpu_seconds: float
    cpu_percent: float
    """Of one processor, over the last seconds."""
    websockets: int = 0
    """Those that are open."""

    @classmethod
    def of(cls, slot: int, region: Region) -> WorkerReading:
        """From its slot."""
        words, floats = region.words, region.floats
        return cls(
            slot, int(words[Field.PID]), floats[Field.STARTED], floats[Field.UPDATED], int(words[Field.ACTIVE]),
            floats[Field.LAG], int(words[Field.MEMORY]), floats[Field.CPU_SECONDS], floats[Field.CPU_PERCENT],
            int(words[Field.WEBSOCKETS]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """`series` run since the file was made; `workers` are those that live; `families` what their collectors say."""

    series: Mapping[Key, Latency]
    workers: Sequence[WorkerReading]
    families: Sequence[Family]

    def total(self, kind: str = HTTP, outcome: str | None = None) -> Latency:
        """All series of a kind together, or those of one outcome."""
        seconds, buckets = 0.0, [0] * BUCKETS
        for key, latency in self.series.items():
            if key.kind == kind and outcome in (None, key.outcome):
                seconds += latency.seconds
                buckets = [mine + theirs for mine, theirs in zip(buckets, latency.buckets, strict=True)]
        return Latency(seconds, buckets)

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many requests ended in which outcome."""
        found: dict[str, int] = {}
        for key, latency in self.series.items():
            if key.kind == HTTP:
                found[key.outcome] = found.get(key.outcome, 0) + latency.count
        return found

    @property
    def active(self) -> int:
        """Requests that are being answered."""
        return sum(worker.active for worker in self.workers)
