"""What the log archive tells."""

from __future__ import annotations

from dataclasses import dataclass

from esteio.events import Event

__all__ = ["WalGap", "WalNotShipped", "WalShipped"]


@dataclass(frozen=True, slots=True)
class WalShipped(Event):
    """A file of the log is in the stores named `stores`, `seconds` after it was complete."""

    file: str
    stores: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        return f"{self.name}: {self.file} is in {', '.join(self.stores)} after {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class WalNotShipped(Event):
    """Files of the log could not be brought to any store; they are kept here and tried again."""

    error: Exception

    def __str__(self) -> str:
        return f"{self.name}: the log stays here and is shipped later: {self.error}"


@dataclass(frozen=True, slots=True)
class WalGap(Event):
    """The server has removed log that was not received: nothing older can be brought up to now."""

    slot: str

    def __str__(self) -> str:
        return f"{self.name}: slot {self.slot} was lost, a part of the log is missing; make a base backup now"
