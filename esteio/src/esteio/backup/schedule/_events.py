"""What the scheduler tells; `name` is the task's."""

from __future__ import annotations

from dataclasses import dataclass

from esteio.events import Event

__all__ = ["TaskFailed", "TaskFinished"]


@dataclass(frozen=True, slots=True)
class TaskFinished(Event):
    """It ran to its end."""

    seconds: float

    def __str__(self) -> str:
        return f"scheduled task {self.name} finished after {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class TaskFailed(Event):
    """It raised `error`; it runs again at its next moment."""

    error: Exception

    def __str__(self) -> str:
        return f"scheduled task {self.name} failed: {self.error}; it runs again at its next moment"
