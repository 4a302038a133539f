"""Backups of one database: made, listed, verified, brought back, pruned.

Promises: one run or prune at a time on the same stores, and no prune while a restore or a verification reads. A run that fails
leaves no backup and removes none; old ones are removed only after the new one was restored to verify it. Every failure is an
`EsteioError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from esteio.backup._catalogue import Entry
from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupNotFound
from esteio.backup._lease import Leases, StoreLease
from esteio.backup._marker import MarkedStore, Marker
from esteio.backup._parts import MOST_JOBS, default_packing
from esteio.backup._problem import Problem
from esteio.backup._progress import Progress, silent
from esteio.backup._pruner import is_cluster
from esteio.backup._restores import Restores
from esteio.backup._retention import Decision
from esteio.backup._run import Run, Runs
from esteio.backup._session import connect, one
from esteio.backup._status import Status, judge
from esteio.backup._sync import Copies, SyncResult, known_defects, read_everywhere, sync_backup
from esteio.backup._verification import ACCEPTABLE, Marks, Verification
from esteio.backup.archive import Repaired, WalArchive, packing_with_known_key
from esteio.backup.base import NotPossible
from esteio.backup.packing import Packing
from esteio.backup.schedule import Errand, Job, Scheduler, Task
from esteio.backup.store import AllStoresFailed
from esteio.backup.watch import Watch
from esteio.errors import EsteioError

__all__ = ["MOST_JOBS", "Backups", "Run", "default_packing"]

_SLOT = "esteio_wal"  # of WalArchive
_LONGEST_NOTE = 1000


class Backups(Runs, Restores):
    """Backups of the database `dsn` in `stores`, in folders named `prefix`_YYYYMMDD_HHMMSS (UTC).

    `replication` is the address by which bases are copied and the log is received, of a role with REPLICATION (None: `dsn`).
    `packing` is asked before each run how files are packed; `jobs` streams of a dump, 1 to 16, are made and restored at
    the same time (None: one for each core, 4 at most); `key` makes what opens encrypted backups from their key
    file (None when they have none); `binaries` is the directory of PostgreSQL's programs (None: those of the extra
    `embedded`); verifications are made below `scratch` (None: the temporary directory). `max_age` is how old the newest
    verified backup may be, unless `status` is asked otherwise, `wal_max_age` the newest WAL in each store where WAL is
    archived. `spool_limit` bounds the WAL that waits here for a store. An agent says in `agent_file`
    how it is (None: in the first directory among the stores). What people
    uploaded into `documents`, a directory or an object store, belongs to each backup; the verification after a run reads what
    is new of it and `documents_sample` bytes of the rest. With `self_init` stores without a marker are given one by the first
    run; else that takes `init`, so that a disk that is not mounted is not taken for a new store.
    """

    def init(self, *, encrypted: bool | None = None) -> tuple[tuple[str, bool], ...]:
        """Give each store its marker; each store's name, and whether it had none. Directories are made, not their parents.

        `encrypted` backups are the only ones then (None: if they are encrypted now); that is for ever.
        """
        if encrypted is None:
            encrypted = self._packing().encryption is not None
        system = None
        if self.dsn.hosts or self.dsn.database:
            with suppress(EsteioError), connect(self.dsn) as conn:
                system = str(one(conn, "SELECT system_identifier FROM pg_catalog.pg_control_system()"))
        return self._markers.init(encrypted=encrypted, system=system)

    def marker(self) -> Marker | None:
        """That of the stores; None where none has one."""
        return self._markers.known()

    def entries(self) -> list[Entry]:
        """Everything in the stores, the oldest first."""
        return self.catalogue.entries()

    def accept(self, backup: str) -> tuple[Problem, ...]:
        """Accept what `status` says of one backup, so that it is not red any more; what that was.

        Only what a person can decide: vanished documents, a failed verification, a kind that is not made any more,
        a clock that leapt. The rest is mended, or the backup is deleted.
        """
        with self._locked():
            entry = self.catalogue.find(backup)
            problems = [each for each in self.status().problems if each.fields.get("backup") == entry.id]
            accepted = tuple(each for each in problems if each.code.name in ACCEPTABLE)
            if accepted:
                codes = [each.code.name for each in accepted]
                self.catalogue.mark((entry.marks or Marks(entry.id)).accept(codes, self._now()))
            return accepted

    def keep(self, backup: str, *, keep: bool = True) -> str:
        """Say that retention never removes a backup, or that it may again; the backup's name."""
        return self._marked(backup, lambda marks: replace(marks, pinned=keep))

    def annotate(self, backup: str, note: str) -> str:
        """Write a note of at most 1000 characters beside a backup ("" removes it); the backup's name."""
        if len(note) > _LONGEST_NOTE:
            msg = f"annotate: the note has {len(note)} characters; allowed: {_LONGEST_NOTE}"
            raise ValueError(msg)
        return self._marked(backup, lambda marks: replace(marks, note=note))

    def delete(self, backup: str) -> Decision:
        """Remove one backup from all stores, or what is left of one that cannot be read; what became of it.

        BackupNotFound for another name; DeleteRefused while it is kept, or needed by an incremental one.
        """
        with self._locked() as lock, self._deleting():
            entries = self.catalogue.entries()
            entry = next((each for each in entries if each.id == backup), None)
            if entry is None:
                raise BackupNotFound(backup, tuple(each.id for each in entries), self.catalogue.where)
            lock.require()
            return self._pruner.delete(entry, entries)

    def leases(self) -> Mapping[str, StoreLease]:
        """Who changes what is in each store now, by its name; a store where nobody does is not in it."""
        return Leases(self._stores.stores, clock=self._clock).look()

    def unlock(self) -> Mapping[str, StoreLease]:
        """Take the leases away from whoever has them, as a person knows that their machine is gone; who had them.

        One that works all the same ends before it writes its manifest or removes anything. StoreError when a store does
        not answer.
        """
        return Leases(self._stores.stores, clock=self._clock).unlock()

    def _marked(self, backup: str, change: Callable[[Marks], Marks]) -> str:
        with self._locked():
            entry = self.catalogue.find(backup)
            self.catalogue.mark(change(entry.marks or Marks(entry.id)))
            return entry.id

    def verify(self, backup: str = "newest", progress: Progress = silent) -> Verification:
        """Restore a backup to verify it and keep the verification; VerificationFailed when something is wrong with it."""
        with self._reading(progress):
            return self._verified(self._found(backup), progress)

    def check_copies(self, backup: str = "newest", progress: Progress = silent, *, read: bool = True) -> Copies:
        """Read every file of a backup in every store, or compare names and sizes; nothing is restored or mended.

        Of the whole cluster, the log is read too: WrongKey when it cannot be opened.
        """
        with self._reading(progress):
            survey = self.catalogue.survey()
            entry = self.catalogue.find(backup, survey=survey)
            if not read:
                lacking = known_defects(entry, survey)
                defective = {defect.store for defect in lacking}
                return Copies(entry.id, tuple(name for name in self._names() if name not in defective), lacking)
            found = read_everywhere(self._stores, entry, survey, progress)
            assert entry.manifest is not None
            found = found.with_defects(self.documents.defects(entry.manifest, progress))
            return found.with_defects(self.cluster.read_log(progress)) if is_cluster(entry) else found

    def copy(self, backup: str = "newest", progress: Progress = silent, *, read: bool = False) -> SyncResult:
        """Bring a backup to the stores that lack files of it, by names and sizes; with `read`, every file is read first.

        Each file is checked while it is copied, and comes from a store that has it right.
        """
        with self._locked():
            survey = self.catalogue.survey()
            entry = self.catalogue.find(backup, survey=survey)
            defects = (
                read_everywhere(self._stores, entry, survey, progress).defects if read else known_defects(entry, survey)
            )
            assert entry.manifest is not None
            known = self.documents.defects(entry.manifest, progress) if read else ()
            documents = self.documents.sync(entry.manifest, known)
            unmade = {defect.store for defect in documents.left}  # no manifest goes where documents are missing
            done = sync_backup(
                self._stores, entry, [defect for defect in defects if defect.store not in unmade], progress
            )
            return replace(done, files=(*documents.files, *done.files), left=(*documents.left, *done.left))

    def copy_log(self, *, read: bool = False) -> list[Repaired]:
        """Bring WAL to the stores that lack some of it, and in place of what is damaged, by size; with `read`, by content."""
        with self._locked():
            return self.cluster.copy_log(read=read)

    def accept_cluster(self, cluster: str) -> None:
        """Say that the cluster with this system identifier may write where there are backups of others."""
        self.cluster.accept(cluster)

    def archive(self) -> WalArchive:
        """The service that receives the cluster's log into the first directory among the stores; NotPossible without one."""
        with connect(self._replication) as conn:
            major = int(one(conn, "SHOW server_version_num")) // 10000
        root = self.directory
        if root is None:
            raise NotPossible("wal", DetailCode.NO_DIRECTORY_STORE(), DetailCode.SET_BACKUP_DIR())
        self.prepare()
        for store in self._stores.stores:  # a disk that is not mounted must not be filled where it should be
            if isinstance(store, MarkedStore) and getattr(store, "root", None) == root:
                store.require()
        return WalArchive(
            lambda: self._replication,
            root,
            self._stores,
            self._toolbox(major),
            self._wal_packing,
            limit=self._spool_limit,
        )

    def _wal_packing(self) -> Packing:
        """With the key of an earlier archive where the stores have one that opens: one key for a repository."""
        return packing_with_known_key(self._packing(), self._stores, self.cluster.key)

    def drop_slot(self) -> bool:
        """Remove the replication slot of the archive, which keeps log on the server; False when there was none.

        What was not received by then is lost: the next `archive` begins with a gap. DatabaseRefused while it is in use.
        """
        with connect(self._replication) as conn:
            statement = "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots"
            return conn.execute(f"{statement} WHERE slot_name = %s", [_SLOT]).rowcount > 0

    @property
    def directory(self) -> Path | None:
        """The first directory among the stores, where the log is received and locks are; None when no store is one."""
        return self._local.root

    @property
    def agent_file(self) -> Path | None:
        """Where whoever makes the backups by itself says how they are; None when there is no such place."""
        return self._agent_file or (self._local.file("operator.json") if self._local.root else None)

    def scheduler(
        self,
        tasks: Sequence[Task],
        run: Callable[[Job], object] | None = None,
        *,
        wanted: Callable[[], Errand | None] = lambda: None,
        interrupt: Callable[[], object] = lambda: None,
    ) -> Scheduler:
        """The service that makes backups when `tasks` are due, by `run` (None: in this process); see `Scheduler`."""
        made = run or (lambda job: self.run(kind=job.kind))
        return Scheduler(tasks, made, self._local.directory, wanted=wanted, interrupt=interrupt, clock=self._clock)

    def prune(self, *, dry_run: bool = False) -> list[Decision]:
        """What is kept and what is removed, each with its reason; with `dry_run`, nothing is."""
        with self._locked() as lock:
            if dry_run:
                return self._pruner.decisions(self._now(), alone=lock.alone)
            with self._deleting():
                return self._pruner.prune(self._now(), lock.require, alone=lock.alone)

    def status(self, max_age: timedelta | None = None) -> Status:
        """Whether a verified backup younger than `max_age` (None: that of the start) is whole in every store.

        A store that is away is a problem.
        """
        max_age = self._max_age if max_age is None else max_age
        try:
            survey = self.catalogue.survey()
        except AllStoresFailed as error:
            return judge((), error.failures, self._now(), max_age, blind=True)
        found = judge(survey.entries, survey.silent, self._now(), max_age)
        return replace(found, problems=(*found.problems, *self.cluster.problems(self._wal_max_age.total_seconds())))

    def watch(
        self,
        max_age: timedelta | None = None,
        more: Callable[[], Sequence[Problem]] = tuple,
        said: Callable[[Problem], str] = str,
    ) -> Watch:
        """The service that tells, as `said`, when `status(max_age)` turns bad, and when all is well again.

        `more` is asked for further problems, such as those of a `WalArchive`.
        """

        def problems() -> Sequence[str]:
            return [said(each) for each in (*self.status(max_age).problems, *more())]

        return Watch(self._prefix, (problems,), self._local.file("watch.json"), clock=self._clock)
