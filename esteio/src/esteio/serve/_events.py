"""What happens to workers and services, as records.

Promises: every start, death, replacement and refusal is one frozen record, emitted through `esteio.events`
and logged as one line by `str(event)`. `name` is "worker 0" or the service's own name.
"""

from __future__ import annotations

import logging
import signal
from dataclasses import dataclass

from esteio import events
from esteio.events import Event

__all__ = [
    "RollAborted",
    "RollFinished",
    "ServiceDied",
    "ServiceFailed",
    "ServiceRestarted",
    "ServiceStarted",
    "ServiceStopped",
    "WorkerDied",
    "WorkerHung",
    "WorkerOversized",
    "WorkerReady",
    "WorkerReplaced",
    "WorkerStarted",
    "WorkerStopped",
    "described",
    "log_and_emit",
]

_logger = logging.getLogger("esteio.serve")
STARTUP_FAILURE = 3  # uvicorn's exit code for an application whose lifespan refuses to start
UNUSABLE = 4  # our exit code for an application that can't be imported


def described(exitcode: int | None) -> str:
    """An exit code in words."""
    if exitcode is None:
        return "could not be started"
    if exitcode == STARTUP_FAILURE:
        return "the application failed to start, exit code 3; its own log says why"
    if exitcode == UNUSABLE:
        return "the application can't be imported, exit code 4; its own log says why"
    if exitcode >= 0:
        return f"exit code {exitcode}"
    try:
        return f"signal {signal.Signals(-exitcode).name}"
    except ValueError:
        return f"signal {-exitcode}"


@dataclass(frozen=True, slots=True)
class WorkerStarted(Event):
    """The process runs; its application is not yet loaded."""

    pid: int

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}) started"


@dataclass(frozen=True, slots=True)
class WorkerReady(Event):
    """It serves, `seconds` after its start (or again, after the application had said it was not ready)."""

    pid: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}) is ready after {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class WorkerDied(Event):
    """It ended without being asked to; `failures` in a row so far, next attempt in `restart_in` seconds."""

    pid: int
    exitcode: int | None
    reason: str
    uptime: float
    failures: int
    restart_in: float
    ever_ready: bool

    def __str__(self) -> str:
        line = (
            f"{self.name} (pid {self.pid}) died after {self.uptime:.1f} s: {self.reason}; "
            f"failure {self.failures} in a row, next attempt in {self.restart_in:.1f} s"
        )
        return line if self.ever_ready else f"{line}; no worker has been ready yet"


@dataclass(frozen=True, slots=True)
class WorkerHung(Event):
    """Its event loop has not turned for `silent` seconds; it is killed."""

    pid: int
    silent: float

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}) hangs: its event loop has not turned for {self.silent:.1f} s; killed"


@dataclass(frozen=True, slots=True)
class WorkerOversized(Event):
    """It has more resident memory than it may, both in bytes; another one takes its place, and it drains."""

    pid: int
    resident: int
    limit: int

    def __str__(self) -> str:
        has, may = self.resident // 2**20, self.limit // 2**20
        return f"{self.name} (pid {self.pid}) has {has} MiB of memory, the limit is {may} MiB; it is replaced"


@dataclass(frozen=True, slots=True)
class WorkerReplaced(Event):
    """In a roll: the worker `pid` is ready and takes the place of `old_pid`, which drains now."""

    old_pid: int
    pid: int

    def __str__(self) -> str:
        return f"{self.name}: pid {self.pid} takes over from pid {self.old_pid}, which drains"


@dataclass(frozen=True, slots=True)
class WorkerStopped(Event):
    """It ended because it was asked to."""

    pid: int
    exitcode: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}) stopped: {self.reason}"


@dataclass(frozen=True, slots=True)
class RollAborted(Event):
    """A replacement did not become ready; the old workers stay as they are."""

    pid: int
    reason: str

    def __str__(self) -> str:
        return (
            f"roll aborted at {self.name}: its replacement (pid {self.pid}) {self.reason}; "
            f"the old workers stay - repair and send SIGHUP again"
        )


@dataclass(frozen=True, slots=True)
class RollFinished(Event):
    """Every worker was replaced, `seconds` after the request."""

    seconds: float

    def __str__(self) -> str:
        return f"roll finished after {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class ServiceStarted(Event):
    """It came up for the first time."""

    seconds: float

    def __str__(self) -> str:
        return f"service {self.name} started in {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class ServiceDied(Event):
    """It is not alive any more; next attempt in `restart_in` seconds."""

    failures: int
    restart_in: float

    def __str__(self) -> str:
        return f"service {self.name} died (failure {self.failures} in a row); restart in {self.restart_in:.1f} s"


@dataclass(frozen=True, slots=True)
class ServiceFailed(Event):
    """Its `start` or `stop` raised; next attempt in `restart_in` seconds, None when there is none."""

    error: str
    restart_in: float | None

    def __str__(self) -> str:
        then = "no further attempt" if self.restart_in is None else f"next attempt in {self.restart_in:.1f} s"
        return f"service {self.name} failed: {self.error}; {then}"


@dataclass(frozen=True, slots=True)
class ServiceRestarted(Event):
    """It is up again, `seconds` after its death was seen."""

    seconds: float

    def __str__(self) -> str:
        return f"service {self.name} is up again after {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class ServiceStopped(Event):
    """It ended because it was asked to."""

    seconds: float

    def __str__(self) -> str:
        return f"service {self.name} stopped in {self.seconds:.1f} s"


_WARNINGS = (WorkerDied, WorkerHung, WorkerOversized, RollAborted, ServiceDied, ServiceFailed)


def log_and_emit(event: Event) -> None:
    """One line in the log `esteio.serve`, and the record to every hook."""
    _logger.log(logging.WARNING if isinstance(event, _WARNINGS) else logging.INFO, "%s", event)
    events.emit(event)
