"""The messages between supervisor and worker, and the state of one worker and one slot.

A slot is a place for one worker. It counts failures; the processes in it are replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from esteio.events import Event

__all__ = ["Action", "Kill", "Note", "Order", "Phase", "Role", "Send", "Slot", "Spawn", "Worker"]


class Phase(Enum):
    """What a worker reports of itself, one byte on its channel; the value is that byte."""

    BOOTING = b"b"  # nothing heard yet: the process starts, the application is imported
    STARTING = b"s"  # its loop runs, the application starts up
    SERVING = b"n"  # it accepts, but the application says it is not ready
    READY = b"r"
    DRAINING = b"d"
    UNUSABLE = b"x"  # the application can't be imported; the reason follows, until the channel is closed


class Order(Enum):
    """What the supervisor orders; end of file on the channel means STOP as well."""

    RETIRE = b"R"  # siblings take over: leave idle connections their grace
    STOP = b"S"  # nobody takes over: end soon


class Role(Enum):
    """Whether a worker holds its slot, is to take it over, or is about to end."""

    MEMBER = "member"
    CANDIDATE = "candidate"  # of a roll: replaces the member once it is ready
    LEAVING = "leaving"


@dataclass(slots=True)
class Worker:
    """One process. `kill_reason` is set once it was killed; `kill_at` is its deadline once it was told to end."""

    number: int
    slot: Slot
    role: Role
    born_at: float
    heard_at: float
    phase: Phase = Phase.BOOTING
    pid: int = 0
    ready_at: float | None = None
    kill_at: float | None = None
    kill_reason: str | None = None
    paused: float = 0.0  # seconds of its life in which the supervisor itself stood still

    @property
    def loop_runs(self) -> bool:
        """Whether silence means that it hangs."""
        return self.phase in (Phase.SERVING, Phase.READY, Phase.DRAINING)


@dataclass(slots=True, eq=False)
class Slot:
    """`start_at` matters only while there is no member."""

    index: int
    start_at: float
    member: int | None = None
    failures: int = 0
    heavy_again_at: float = 0.0  # not before then is a member replaced for its memory

    @property
    def name(self) -> str:
        """For people."""
        return f"worker {self.index}"


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a process for this worker, and call `WorkerManager.spawned` or `WorkerManager.exited`."""

    number: int
    slot: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send the order."""

    number: int
    order: Order


@dataclass(frozen=True, slots=True)
class Kill:
    """End it at once."""

    number: int


@dataclass(frozen=True, slots=True)
class Note:
    """Log and emit."""

    event: Event


Action = Spawn | Send | Kill | Note
