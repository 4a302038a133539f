"""One run of a backup: made, verified, and old ones pruned; one event tells all of it at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from esteio.backup._catalogue import Entry
from esteio.backup._events import BackupRunEnded
from esteio.backup._manifest import Manifest
from esteio.backup._retention import Decision
from esteio.backup._verification import Proof

__all__ = ["Ending"]


@dataclass(slots=True)
class Ending:
    """Of the run of `kind` for `database`; `name` is the backup's from when it has one."""

    name: str
    kind: str
    database: str
    manifest: Manifest | None = None
    stores: tuple[str, ...] = ()
    proof: Proof | None = None
    decisions: tuple[Decision, ...] = ()

    def event(
        self, wanted: Sequence[str], entries: Sequence[Entry], now: datetime, error: BaseException | None
    ) -> BackupRunEnded:
        """The event, with `entries` being in the stores now; the backup should be in all of `wanted`."""
        proven = [entry for entry in entries if entry.verified]
        mine = next((entry.proof for entry in entries if entry.id == self.name), None)
        return BackupRunEnded(
            self.name,
            self.kind,
            self.database,
            manifest=self.manifest,
            proof=self.proof or mine,
            stores=self.stores,
            missing=tuple(name for name in wanted if name not in self.stores) if self.manifest else (),
            decisions=self.decisions,
            error=error,
            proven=proven[-1].id if proven else None,
            proven_age=(now - proven[-1].began).total_seconds() if proven else None,
        )
