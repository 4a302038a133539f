"""What backups tell."""

from __future__ import annotations

from dataclasses import dataclass

from esteio.backup._manifest import Manifest
from esteio.backup._retention import Decision
from esteio.backup._verification import Verification
from esteio.events import Event

__all__ = ["BackupFailed", "BackupMade", "BackupRunEnded", "BackupVerified"]


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
    """Backup `name` was restored to verify it in `seconds`; `problems` is empty when it can be counted on."""

    seconds: float
    problems: tuple[str, ...]

    def __str__(self) -> str:
        found = "; ".join(self.problems) or "it can be counted on"
        return f"backup {self.name} restored to verify it in {self.seconds:.1f} s: {found}"


@dataclass(frozen=True, slots=True)
class BackupRunEnded(Event):
    """A run for `database` is over, whatever it came to, and others may run again.

    `name` is the backup's, or what such names begin with when it did not get that far. `error` is why it failed, None
    when it did not; a backup that was made may still be there (`manifest`), whose verification found something or broke off.
    """

    kind: str
    database: str
    manifest: Manifest | None = None
    verification: Verification | None = None
    stores: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """The stores that lack it."""
    decisions: tuple[Decision, ...] = ()
    """What became of the older ones."""
    error: BaseException | None = None
    newest_verified: str | None = None
    """The newest backup that can be counted on now; None when there is none, or the stores can't be asked."""
    newest_verified_age: float | None = None
    """Its age in seconds."""

    def __str__(self) -> str:
        return f"backup run of kind {self.kind} for {self.database} ended: {self.error or self.name}"
