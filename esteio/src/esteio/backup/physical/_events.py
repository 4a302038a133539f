"""What the WAL archive tells."""

from __future__ import annotations

from dataclasses import dataclass

from esteio.events import Event

__all__ = ["WalGap", "WalMended", "WalNotShipped", "WalShipped"]


@dataclass(frozen=True, slots=True)
class WalShipped(Event):
    """A file of WAL is in the stores named `stores`, `seconds` after it was complete."""

    file: str
    stores: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        return f"{self.name}: {self.file} is in {', '.join(self.stores)} after {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class WalNotShipped(Event):
    """WAL could not be brought to `store`; it is kept in the spool and tried again."""

    store: str
    error: Exception

    def __str__(self) -> str:
        return f"{self.name}: WAL for {self.store} stays in the spool and is shipped later: {self.error}"


@dataclass(frozen=True, slots=True)
class WalMended(Event):
    """The object `file` was damaged in `store`, for `reason`, and was replaced by that of `origin`."""

    file: str
    store: str
    origin: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.file} in {self.store} was damaged ({self.reason}): replaced by that in {self.origin}"
        )


@dataclass(frozen=True, slots=True)
class WalGap(Event):
    """The server has removed WAL that was not received: nothing older can be brought up to now."""

    slot: str

    def __str__(self) -> str:
        return f"{self.name}: slot {self.slot} was lost, a part of the WAL is missing; make a base backup now"
