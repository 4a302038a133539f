"""One run: a backup is made and verified, then old ones are pruned; one event tells all of it at its end.

Promises: a run that fails leaves no backup and removes none; old ones are removed only after the new one was verified.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from esteio import events
from esteio.backup._catalogue import Entry
from esteio.backup._errors import AlreadyRunning
from esteio.backup._events import BackupFailed, BackupMade, BackupRunEnded
from esteio.backup._files import BackupWriter
from esteio.backup._lease import WriteLock
from esteio.backup._manifest import Manifest, backup_id
from esteio.backup._parts import Parts
from esteio.backup._problem import Problem, not_made
from esteio.backup._progress import Progress, silent
from esteio.backup._retention import Decision, leap
from esteio.backup._verification import Verification
from esteio.backup.cluster import KINDS
from esteio.errors import EsteioError

__all__ = ["Run", "Runs"]

_logger = logging.getLogger("esteio.backup")


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did: `verification` is None when none was asked for, and nothing is removed then.

    `stores` hold every file of it, as their lists say; `lacking` tells what the others lack, and why. `decisions` begin with
    what killed runs had left.
    """

    manifest: Manifest
    stores: tuple[str, ...]
    verification: Verification | None
    decisions: tuple[Decision, ...]
    lacking: tuple[Problem, ...] = ()


@dataclass(slots=True)
class Ending:
    """Of the run of `kind` for `database`; `name` is the backup's from when it has one."""

    name: str
    kind: str
    database: str
    manifest: Manifest | None = None
    stores: tuple[str, ...] = ()
    verification: Verification | None = None
    decisions: tuple[Decision, ...] = ()
    cleaned: tuple[Decision, ...] = ()

    def event(
        self, wanted: Sequence[str], entries: Sequence[Entry], now: datetime, error: BaseException | None
    ) -> BackupRunEnded:
        """The event, with `entries` being in the stores now; the backup should be in all of `wanted`."""
        proven = [entry for entry in entries if entry.verified]
        mine = next((entry.verification for entry in entries if entry.id == self.name), None)
        return BackupRunEnded(
            self.name,
            self.kind,
            self.database,
            manifest=self.manifest,
            verification=self.verification or mine,
            stores=self.stores,
            missing=tuple(name for name in wanted if name not in self.stores) if self.manifest else (),
            decisions=self.decisions,
            error=error,
            newest_verified=proven[-1].id if proven else None,
            newest_verified_age=(now - proven[-1].began).total_seconds() if proven else None,
        )


class Runs(Parts):
    """How `Backups` runs."""

    def run(self, progress: Progress = silent, *, kind: str = "dump", verify: bool = True, gentle: bool = False) -> Run:
        """Make a backup, verify it, then remove what need not be kept.

        `kind` is dump (this database), base (the whole cluster) or incremental (what changed since the last of both).
        A `gentle` one leaves room for others: a dump has one stream, a base reads at most 100 MB a second.
        VerificationFailed when the verification found something; the backup stays and is marked.
        """
        if kind not in ("dump", *KINDS):
            msg = f"backup: kind is {kind!r}; allowed: dump, {', '.join(KINDS)}"
            raise ValueError(msg)
        ending = Ending(self._prefix, kind, self.dsn.database or "")
        try:
            done = self._run(ending, progress, verify=verify, gentle=gentle)
        except BaseException as error:
            self._tell(ending, error)
            raise
        self._tell(ending)
        return done

    def _run(self, ending: Ending, progress: Progress, *, verify: bool, gentle: bool) -> Run:
        kind, name, writer = ending.kind, backup_id(self._prefix, self._clock.time()), None
        try:
            packing = self.prepare()  # before the lock, whose file is in the directory that may not be mounted
        except BaseException as error:
            if events.active():
                events.emit(BackupFailed(name, error))
            raise
        with self._locked() as lock:
            try:
                if lock.alone:
                    ending.cleaned = self._cleaned()
                taken = self.catalogue.entries()
                leapt = leap([entry.began for entry in taken if entry.complete], self._now())
                name = backup_id(self._prefix, self._clock.time(), [entry.id for entry in taken])
                ending.name = name
                writer = BackupWriter(self._stores, name, packing)
                of = self.database if kind == "dump" else self.cluster
                manifest = of.take(writer, kind, progress, gentle=gentle)
                manifest = replace(manifest, details={**manifest.details, **self._markers.label()})
                if leapt:
                    manifest = replace(manifest, details={**manifest.details, "leap": {"days": leapt.days}})
                manifest = self.documents.take(writer, manifest, taken, progress)
                lock.require()
                stores, lacking = self.catalogue.placed(manifest, writer.finish(manifest))
            except BaseException as error:
                if writer is not None:
                    writer.discard()
                if events.active():
                    events.emit(BackupFailed(name, error))
                raise
            if events.active():
                events.emit(BackupMade(name, kind, manifest.size, manifest.stored, manifest.duration, stores))
            ending.manifest, ending.stores = manifest, stores
            ending.verification = self._verified(manifest, progress, self._documents_sample) if verify else None
            ending.decisions = self._pruned(lock) if ending.verification else ()
            problems = (*not_made(name, writer.failed), *lacking)
            decisions = (*ending.cleaned, *ending.decisions)
            return Run(manifest, stores, ending.verification, decisions, problems)

    def _cleaned(self) -> tuple[Decision, ...]:
        """What killed runs left, removed before anything is written."""
        removed = self._pruner.remove_abandoned(f"{self._prefix}_")
        for each in removed:
            _logger.warning("%s: %s; %s", each.id, each.reason, "kept" if each.keep else "removed")
        return removed

    def _pruned(self, lock: WriteLock) -> tuple[Decision, ...]:
        try:
            with self._deleting():
                return tuple(self._pruner.prune(self._now(), lock.require, alone=lock.alone))
        except AlreadyRunning as error:
            _logger.info("nothing old is removed now, the next run does: %s", error)
            return ()

    def _tell(self, ending: Ending, error: BaseException | None = None) -> None:
        """Only after the lock is free: whoever listens may take their time."""
        if not events.active():
            return
        entries: list[Entry] = []
        if error is None or isinstance(error, Exception):  # who was interrupted is to end soon
            with suppress(EsteioError):
                entries = self.catalogue.entries()
        events.emit(ending.event(self._names(), entries, self._now(), error))
