"""A scheduled backup as a process of its own, and a service that is made when it starts.

Promises: the memory of a run goes back to the system at its end, and a crash in it is a failed run and nothing else. It
stands back for everybody else (nice 10) and does not outlive us. What it says is logged line by line. It tells by itself
how it ended (`BackupRunEnded`); for one that was killed that is done here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from esteio import events
from esteio.backup._errors import AlreadyRunning, BackupError, ToolFailed
from esteio.backup._events import BackupRunEnded
from esteio.backup.schedule import Job
from esteio.backup.tools import Running

__all__ = ["ChildRun", "Deferred", "ScheduledRunFailed"]

_NICE = 10
_logger = logging.getLogger("esteio.backup")


class ScheduledRunFailed(BackupError):
    """The process ended with `code`; `said` is the end of what it wrote."""

    def __init__(self, kind: str, code: int, said: str) -> None:
        self.kind = kind
        self.code = code
        self.said = said
        super().__init__(f"backup of kind {kind!r} failed with exit code {code}: {said or 'it said nothing'}")


class ChildRun:
    """Runs `command(kind)` for each job; `directory` is where the backups are, for people."""

    def __init__(self, command: Callable[[str], Sequence[str]], directory: Path) -> None:
        self._command = command
        self._directory = directory
        self._running: Running | None = None
        self._unwanted = False

    def __call__(self, job: Job) -> None:
        """Wait for its end; AlreadyRunning when it was refused, ScheduledRunFailed when it failed."""
        self._unwanted = False
        program, *arguments = self._command(job.kind)
        try:
            with Running(Path(program), arguments, os.environ, stdout=True, on_line=self._say, nice=_NICE) as running:
                self._running = running
                if self._unwanted:
                    running.ask_to_end()
                for line in running.stdout:
                    self._say(line.decode(errors="replace").rstrip())
        except ToolFailed as error:
            if error.code == AlreadyRunning.exit_code:
                raise AlreadyRunning(self._directory / ".lock", None) from error
            failed = ScheduledRunFailed(job.kind, error.code, _last(error.stderr))
            if error.code < 0 and not self._unwanted:  # killed, it could not tell how it ended
                events.emit(BackupRunEnded("PostgreSQL", job.kind, "", error=failed))
            raise failed from error
        finally:
            self._running = None

    def interrupt(self) -> None:
        """End the one that runs; any thread may call it."""
        self._unwanted = True
        if (running := self._running) is not None:
            running.ask_to_end()

    def _say(self, line: str) -> None:
        if line:
            _logger.info("backup: %s", line)


def _last(stderr: str) -> str:
    """The error is what it said last."""
    return " ".join(stderr.splitlines()[-1:])


class _Service(Protocol):
    def start(self) -> None: ...

    def is_alive(self) -> bool: ...

    def stop(self, timeout: float) -> None: ...


S = TypeVar("S", bound=_Service)


class Deferred(Generic[S]):
    """The service `name`, which `make` makes anew at each start."""

    def __init__(self, name: str, make: Callable[[], S]) -> None:
        self._name = name
        self._make = make
        self.started: Callable[[], object] = lambda: None
        """Called after each start."""
        self.service: S | None = None
        """The one of the last start."""

    @property
    def name(self) -> str:
        """For people."""
        return self._name

    def start(self) -> None:
        """Make it and start it; raises what either raises."""
        self.stop(0.0)
        self.service = self._make()
        self.service.start()
        self.started()

    def is_alive(self) -> bool:
        """Whether it is."""
        return self.service is not None and self.service.is_alive()

    def stop(self, timeout: float) -> None:
        """End it, if it was started."""
        if self.service is not None:
            self.service.stop(timeout)
