"""What backups tell."""

from __future__ import annotations

from dataclasses import dataclass

from esteio.events import Event

__all__ = ["BackupFailed", "BackupMade", "BackupVerified"]


@dataclass(frozen=True, slots=True)
class BackupMade(Event):
    """Backup `name` is complete: `size` bytes of content, `stored` bytes kept, after `seconds`."""

    kind: str
    size: int
    stored: int
    seconds: float
    stores: tuple[str, ...]

    def __str__(self) -> str:
        return f"backup {self.name} made in {self.seconds:.1f} s: {self.stored} bytes in {', '.join(self.stores)}"


@dataclass(frozen=True, slots=True)
class BackupFailed(Event):
    """The run for backup `name` failed; nothing of it counts, and nothing older was removed."""

    error: BaseException

    def __str__(self) -> str:
        return f"backup {self.name} failed: {self.error}"


@dataclass(frozen=True, slots=True)
class BackupVerified(Event):
    """Backup `name` was restored for trial in `seconds`; `problems` is empty when it can be counted on."""

    seconds: float
    problems: tuple[str, ...]

    def __str__(self) -> str:
        found = "; ".join(self.problems) or "it can be counted on"
        return f"backup {self.name} restored for trial in {self.seconds:.1f} s: {found}"
