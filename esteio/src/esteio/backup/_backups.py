"""Backups of one database: made, listed, tried, brought back, thinned out.

Promises: one run, restore or prune at a time on the same stores. A run that fails leaves no backup and removes none;
old ones are removed only after the new one was restored for trial. Every failure is an `EsteioError`.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from esteio import events
from esteio.backup._catalogue import Catalogue, Entry
from esteio.backup._errors import VerificationFailed
from esteio.backup._events import BackupFailed, BackupMade, BackupVerified
from esteio.backup._folder import Draft, Folder
from esteio.backup._lock import Lock
from esteio.backup._manifest import Manifest, backup_id
from esteio.backup._progress import Progress, silent
from esteio.backup._proof import Proof
from esteio.backup._retention import Decision, Held, Retention, decide
from esteio.backup._status import Status, judge
from esteio.backup.dump import take
from esteio.backup.packing import Decryption, Packing
from esteio.backup.restore import Restored, restore_in_place, restore_into
from esteio.backup.store import Stores
from esteio.backup.tools import Toolbox
from esteio.backup.verify import verify_dump
from esteio.clock import SYSTEM, Clock
from esteio.postgres import Dsn

__all__ = ["Backups", "Run"]

Key = Callable[[bytes | None], Decryption | None]


def default_packing() -> Packing:
    """Fast rather than small, and never more than half of a large machine's work."""
    return Packing(level=1, threads=min(4, os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did: `proof` is None when no trial was asked for, and nothing is removed then."""

    manifest: Manifest
    stores: tuple[str, ...]
    proof: Proof | None
    decisions: tuple[Decision, ...]


class Backups:
    """Backups of the database `dsn` in `stores`, in folders named `prefix`_YYYYMMDD_HHMMSS (UTC).

    `packing` is asked before each run how files are packed; `key` makes what opens encrypted backups from their key
    file (None when they have none); `binaries` is the directory of PostgreSQL's programs (None: those of the extra
    `embedded`); trials are held below `scratch` (None: the temporary directory).
    """

    def __init__(
        self,
        dsn: Dsn,
        stores: Stores,
        *,
        prefix: str = "backup",
        packing: Callable[[], Packing] = default_packing,
        key: Key = lambda _key_file: None,
        retention: Retention | None = None,
        binaries: Path | None = None,
        scratch: Path | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.dsn = dsn
        self.retention = retention or Retention()
        self._stores = stores
        self._prefix = prefix
        self._packing = packing
        self._key = key
        self._binaries = binaries
        self._scratch = scratch
        self._clock = clock
        self.catalogue = Catalogue(stores, prefix)

    def run(self, progress: Progress = silent, *, verify: bool = True) -> Run:
        """Dump the database, restore the dump for trial, then remove what need not be kept.

        VerificationFailed when the trial found something; the backup stays and is marked.
        """
        with self._locked():
            taken = [entry.id for entry in self.catalogue.entries()]
            name = backup_id(self._prefix, self._clock.time(), taken)
            draft = Draft(self._stores, name, self._packing())
            try:
                manifest, stores = self._dump(draft, progress)
            except BaseException as error:
                draft.discard()
                if events.active():
                    events.emit(BackupFailed(draft.id, error))
                raise
            proof = self._tried(manifest, progress) if verify else None
            return Run(manifest, stores, proof, tuple(self._prune()) if proof else ())

    def entries(self) -> list[Entry]:
        """Everything in the stores, the oldest first."""
        return self.catalogue.entries()

    def verify(self, backup: str = "latest", progress: Progress = silent) -> Proof:
        """Restore a backup for trial and keep the proof; VerificationFailed when something is wrong with it."""
        with self._locked():
            entry = self.catalogue.find(backup)
            assert entry.manifest is not None
            return self._tried(entry.manifest, progress)

    def restore_into(self, name: str, backup: str = "latest", progress: Progress = silent) -> Restored:
        """Restore as the new database `name`."""
        with self._locked():
            return restore_into(self.dsn, self.folder(backup), name, self._toolbox, progress, clock=self._clock)

    def restore_in_place(
        self, confirm: Callable[[str], bool], backup: str = "latest", progress: Progress = silent
    ) -> Restored:
        """Put a backup in the place of the database, which is kept beside it; `confirm` is asked with its name."""
        with self._locked():
            return restore_in_place(self.dsn, self.folder(backup), self._toolbox, confirm, progress, clock=self._clock)

    def prune(self, *, dry_run: bool = False) -> list[Decision]:
        """What is kept and what is removed, each with its reason; with `dry_run`, nothing is."""
        with self._locked():
            return self._decided()[1] if dry_run else self._prune()

    def status(self, max_age: timedelta = timedelta(hours=26)) -> Status:
        """Whether a verified backup younger than `max_age` is in every store."""
        names = [store.name for store in self._stores.stores]
        return judge(self.catalogue.entries(), names, self._now(), max_age)

    def folder(self, backup: str = "latest") -> Folder:
        """A backup's files."""
        entry = self.catalogue.find(backup)
        assert entry.manifest is not None
        return Folder(self._stores, entry.manifest, self._key)

    def _dump(self, draft: Draft, progress: Progress) -> tuple[Manifest, tuple[str, ...]]:
        at, began = self._now(), self._clock.monotonic()
        found, version, tool_version = take(self.dsn, self._toolbox, draft, progress)
        manifest = Manifest(
            id=draft.id,
            kind="dump",
            began=at.isoformat(timespec="seconds"),
            duration=round(self._clock.monotonic() - began, 3),
            server_version=version,
            tool_version=tool_version,
            parts=tuple(draft.parts),
            encryption=draft.encryption,
            database=found.database,
            roles=found.roles,
            extensions=found.extensions,
            tables=found.tables,
            lsn=found.lsn,
        )
        stores = draft.finish(manifest)
        if events.active():
            events.emit(BackupMade(draft.id, "dump", manifest.size, manifest.stored, manifest.duration, stores))
        return manifest, stores

    def _tried(self, manifest: Manifest, progress: Progress) -> Proof:
        folder = Folder(self._stores, manifest, self._key)
        proof = verify_dump(
            folder,
            self._toolbox,
            progress,
            directory=self._scratch,
            binaries=self._binaries,
            clock=self._clock,
        )
        self.catalogue.prove(proof)
        if events.active():
            events.emit(BackupVerified(proof.backup, proof.total_seconds, proof.problems))
        if not proof.ok:
            raise VerificationFailed(proof.backup, proof.problems)
        return proof

    def _decided(self) -> tuple[dict[str, Entry], list[Decision]]:
        entries = {entry.id: entry for entry in self.catalogue.entries()}
        # What cannot be read now may be sound in a store that does not answer now.
        unread = [entry for entry in entries.values() if entry.problem and not entry.complete]
        held = [
            Held(entry.id, entry.began, entry.complete, entry.verified, _needs(entry))
            for entry in entries.values()
            if entry not in unread
        ]
        decisions = [Decision(entry.id, True, f"cannot be read: {entry.problem}") for entry in unread]
        return entries, sorted([*decisions, *decide(held, self.retention, self._now())], key=lambda each: each.id)

    def _prune(self) -> list[Decision]:
        entries, decisions = self._decided()
        return [each if each.keep else self._removed(entries[each.id], each) for each in decisions]

    def _removed(self, entry: Entry, decision: Decision) -> Decision:
        failed = self.catalogue.remove(entry)
        if not failed:
            return decision
        why = "; ".join(str(error) for error in failed.values())
        return Decision(entry.id, True, f"{decision.reason}, but a store keeps it: {why}")

    def _toolbox(self, major: int) -> Toolbox:
        return Toolbox(major, self._binaries)

    def _locked(self) -> Lock:
        return Lock(self._lock_file())

    def _lock_file(self) -> Path:
        """In the first directory among the stores, so that all who share it share the lock; else on this machine."""
        for store in self._stores.stores:
            root = getattr(store, "root", None)
            if isinstance(root, Path):
                return root / ".lock"
        names = "\n".join(store.name for store in self._stores.stores)
        return Path(tempfile.gettempdir()) / f"esteio-backup-{hashlib.sha256(names.encode()).hexdigest()[:16]}.lock"

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)


def _needs(entry: Entry) -> tuple[str, ...]:
    needs = entry.manifest.details.get("needs", ()) if entry.manifest else ()
    return tuple(needs)
