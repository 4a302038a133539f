"""What the stores tell."""

from __future__ import annotations

from dataclasses import dataclass

from esteio.events import Event

__all__ = ["StoreFailed"]


@dataclass(frozen=True, slots=True)
class StoreFailed(Event):
    """Store `name` failed on `key`; the others go on without it."""

    key: str
    error: Exception

    def __str__(self) -> str:
        return f"backup store {self.name} failed, the others go on: {self.error}"
