"""What every command of `Backups` stands on: the stores, the parts that do the work, and the locks.

Promises: one run or prune at a time on the same stores, of all machines, and nothing is removed while somebody reads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from esteio import events
from esteio.backup._announce import Announcement, Side
from esteio.backup._catalogue import Catalogue
from esteio.backup._database import DatabaseBackups
from esteio.backup._errors import VerificationFailed
from esteio.backup._events import BackupVerified
from esteio.backup._lease import Leases, WriteLock
from esteio.backup._lock import Lock
from esteio.backup._manifest import Manifest
from esteio.backup._marker import LocalDirectory, Markers
from esteio.backup._progress import Progress
from esteio.backup._pruner import Pruner
from esteio.backup._retention import Retention
from esteio.backup._session import of_primary
from esteio.backup._verification import Verification
from esteio.backup.archive import Limit
from esteio.backup.cluster import (
    KINDS,
    ClusterBackups,
)
from esteio.backup.documents import SAMPLE, Documents
from esteio.backup.packing import Decryption, Packing
from esteio.backup.store import Store, Stores
from esteio.backup.tools import Toolbox
from esteio.clock import SYSTEM, Clock
from esteio.postgres import Dsn

__all__ = ["MOST_JOBS", "Parts", "default_jobs", "default_packing"]

MOST_JOBS = 16  # each is a connection, and a scratch server has few
_RESTORE_PATIENCE = 3600.0  # seconds a restore waits for a run that is under way

Key = Callable[[bytes | None], Decryption | None]


def default_packing() -> Packing:
    """Fast rather than small: zstd 1 in at most four threads, not encrypted."""
    return Packing(level=1, threads=default_jobs())


def default_jobs() -> int:
    """As many as the machine has cores, and four at most: a backup is not the only thing that runs."""
    return min(4, os.cpu_count() or 1)


class Parts:
    """Made once from the settings of `Backups`, which describes them."""

    def __init__(
        self,
        dsn: Dsn,
        stores: Stores,
        *,
        replication: Dsn | None = None,
        prefix: str = "backup",
        packing: Callable[[], Packing] = default_packing,
        jobs: int | None = None,
        key: Key = lambda _key_file: None,
        retention: Retention | None = None,
        binaries: Path | None = None,
        scratch: Path | None = None,
        max_age: timedelta = timedelta(hours=26),
        wal_max_age: timedelta = timedelta(hours=1),
        spool_limit: Limit | None = None,
        agent_file: Path | None = None,
        documents: Path | Store | None = None,
        documents_sample: int = SAMPLE,
        self_init: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        jobs = default_jobs() if jobs is None else jobs
        if not 1 <= jobs <= MOST_JOBS:
            msg = f"Backups: jobs is {jobs}; allowed: 1 to {MOST_JOBS}"
            raise ValueError(msg)
        self.dsn = dsn = of_primary(dsn)
        self._replication = of_primary(replication) if replication else dsn
        self.retention = retention or Retention()
        self._markers = Markers(stores, prefix, clock=clock)
        self._stores = stores = self._markers.stores
        self._self_init = self_init
        self._prefix = prefix
        self._packing = packing
        self._binaries = binaries
        self._scratch = scratch
        self._documents_sample = documents_sample
        self._clock = clock
        self._max_age = max_age
        self._wal_max_age = wal_max_age
        self._spool_limit = spool_limit or Limit()
        self._agent_file = agent_file
        self._local = LocalDirectory(stores)
        key = lru_cache(maxsize=16)(key)  # a passphrase takes a second
        self.catalogue = Catalogue(stores, prefix, refuses=self._markers.refuses, clock=clock)
        self.database = DatabaseBackups(dsn, stores, key, self._toolbox, jobs, binaries=binaries, clock=clock)
        self.cluster = ClusterBackups(self._replication, stores, self.catalogue, key, self._toolbox, clock=clock)
        self.documents = Documents(documents, stores, self.catalogue, prefix, key, self._local.root, clock=clock)
        self._pruner = Pruner(stores, self.catalogue, self.cluster, self.documents, self.retention)

    def prepare(self) -> Packing:
        """See that backups may be written, before anything is; how their files are packed now.

        StoreNotInitialised when no store has a marker, DirectoryMissing when there is no directory, AllStoresFailed when some
        could not be asked for it, EncryptionRequired. With `self_init` a marker is made.
        """
        packing = self._packing()
        self._markers.prepare(encrypted=packing.encryption is not None, create=self._self_init)
        return packing

    def _found(self, backup: str, kind: str | None = None) -> Manifest:
        manifest = self.catalogue.find(backup, kind).manifest
        assert manifest is not None
        return manifest

    def _verified(self, manifest: Manifest, progress: Progress, sample: int | None = None) -> Verification:
        of = self.cluster if manifest.kind in KINDS else self.database
        verification = of.verify(manifest, self._scratch, progress)
        verification = self.documents.verify(manifest, verification, progress, sample)
        self.catalogue.keep_verification(verification)
        if events.active():
            events.emit(BackupVerified(verification.backup, verification.total_seconds, verification.problems))
        if not verification.ok:
            raise VerificationFailed(verification.backup, verification.problems)
        return verification

    def _toolbox(self, major: int) -> Toolbox:
        return Toolbox(major, self._binaries)

    def _locked(self) -> WriteLock:
        leases = Leases(self._stores.stores, clock=self._clock)
        return WriteLock(Lock(self._local.file("lock")), leases, self._markers.withhold)

    @contextmanager
    def _reading(self, progress: Progress) -> Iterator[None]:
        """Beside runs and other readers; nothing is removed meanwhile. A prune that is under way is waited for."""
        path, stores = self._local.file("lock-readers"), self._stores.stores

        def waiting() -> None:
            progress("wait", 0, 0, "")

        with (
            Lock(path, _RESTORE_PATIENCE, waiting, shared=True, clock=self._clock),
            Announcement(stores, Side.READER, _RESTORE_PATIENCE, waiting, clock=self._clock),
        ):
            yield

    @contextmanager
    def _deleting(self) -> Iterator[None]:
        """AlreadyRunning while somebody reads, on this machine or another."""
        with (
            Lock(self._local.file("lock-readers")),
            Announcement(self._stores.stores, Side.REMOVER, clock=self._clock),
        ):
            yield

    def _names(self) -> list[str]:
        return [store.name for store in self._stores.stores]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)
