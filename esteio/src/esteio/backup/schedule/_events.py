"""What the scheduler tells; `name` is the task's."""

from __future__ import annotations

from dataclasses import dataclass

from esteio.events import Event

__all__ = ["TaskBegun", "TaskFailed", "TaskFinished", "TaskRefused"]


@dataclass(frozen=True, slots=True)
class TaskBegun(Event):
    """It runs now: a backup of `kind`; `reason` says why, where that is not the time of day."""

    kind: str
    reason: str

    def __str__(self) -> str:
        why = f" because {self.reason}" if self.reason else ""
        return f"scheduled task {self.name} begins ({self.kind}){why}"


@dataclass(frozen=True, slots=True)
class TaskFinished(Event):
    """It ran to its end."""

    seconds: float

    def __str__(self) -> str:
        return f"scheduled task {self.name} finished after {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class TaskFailed(Event):
    """It raised `error`, `failures` times in a row; it runs again in `again` seconds, or at its next moment."""

    error: Exception
    failures: int
    again: float

    def __str__(self) -> str:
        return (
            f"scheduled task {self.name} failed ({self.failures} in a row): {self.error}; "
            f"it runs again in {self.again / 60:.0f} min, or at its next moment"
        )


@dataclass(frozen=True, slots=True)
class TaskRefused(Event):
    """Another run was under way; it runs again in `again` seconds."""

    error: Exception
    again: float

    def __str__(self) -> str:
        return f"scheduled task {self.name} waits {self.again / 60:.0f} min: {self.error}"
