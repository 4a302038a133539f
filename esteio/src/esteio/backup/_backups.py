"""Backups of one database: made, listed, tried, brought back, thinned out.

Promises: one run or prune at a time on the same stores, and no prune while a restore or a trial reads. A run that fails
leaves no backup and removes none; old ones are removed only after the new one was restored for trial. Every failure is an
`EsteioError`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from esteio import events
from esteio.backup._catalogue import Catalogue, Entry
from esteio.backup._database import DatabaseBackups
from esteio.backup._errors import AlreadyRunning, BackupNotFound, NotConfirmed, RestoreRefused, VerificationFailed
from esteio.backup._events import BackupFailed, BackupMade, BackupVerified
from esteio.backup._files import Draft, Folder
from esteio.backup._lock import Lock
from esteio.backup._manifest import Manifest, backup_id
from esteio.backup._marker import MarkedStore, Marker, Markers, Places
from esteio.backup._problem import Problem, Trouble, not_made
from esteio.backup._progress import Progress, silent
from esteio.backup._pruner import Thinning, is_cluster
from esteio.backup._retention import Decision, Retention, leap
from esteio.backup._run import Ending
from esteio.backup._session import connect, one
from esteio.backup._status import Status, judge
from esteio.backup._sync import Brought, Copies, bring, known_flaws, read_everywhere
from esteio.backup._verification import ACCEPTABLE, Marks, Proof
from esteio.backup.archive import Limit, Repaired, WalArchive, packing_with_known_key
from esteio.backup.base import NotPossible
from esteio.backup.cluster import (
    KINDS,
    ClusterBackups,
    recover_beside,
    recover_in_place,
    recover_server,
    require_stopped,
)
from esteio.backup.documents import SAMPLE, Documents, Returned, Untouched
from esteio.backup.packing import Decryption, Packing
from esteio.backup.restore import Recovered, Restored, RestorePlan, Target, plan_restore, time_of
from esteio.backup.schedule import Errand, Job, Scheduler, Task
from esteio.backup.store import AllStoresFailed, Stores
from esteio.backup.tools import Toolbox
from esteio.backup.watch import Watch
from esteio.clock import SYSTEM, Clock
from esteio.errors import EsteioError
from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded

__all__ = ["MOST_JOBS", "Backups", "Run", "default_jobs", "default_packing"]

_logger = logging.getLogger("esteio.backup")
_SLOT = "esteio_wal"  # of WalArchive
MOST_JOBS = 16  # each is a connection, and a scratch server has few
_LONGEST_NOTE = 1000
_RESTORE_PATIENCE = 3600.0  # seconds a restore waits for a run that is under way

Key = Callable[[bytes | None], Decryption | None]


def default_packing() -> Packing:
    """Fast rather than small: zstd 1 in at most four threads, not encrypted."""
    return Packing(level=1, threads=default_jobs())


def default_jobs() -> int:
    """As many as the machine has cores, and four at most: a backup is not the only thing that runs."""
    return min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did: `proof` is None when no trial was asked for, and nothing is removed then.

    `stores` hold every file of it, as their lists say; `lacking` tells what the others lack, and why.
    """

    manifest: Manifest
    stores: tuple[str, ...]
    proof: Proof | None
    decisions: tuple[Decision, ...]
    lacking: tuple[Problem, ...] = ()


class Backups:
    """Backups of the database `dsn` in `stores`, in folders named `prefix`_YYYYMMDD_HHMMSS (UTC).

    `packing` is asked before each run how files are packed; `jobs` streams of a dump, 1 to 16, are made and restored at
    the same time (None: one for each core, 4 at most); `key` makes what opens encrypted backups from their key
    file (None when they have none); `binaries` is the directory of PostgreSQL's programs (None: those of the extra
    `embedded`); trials are held below `scratch` (None: the temporary directory). `max_age` is how old the newest
    verified backup may be, unless `status` is asked otherwise, `wal_max_age` the newest WAL in each store where WAL is
    archived. `spool_limit` bounds the WAL that waits here for a store. An operator says in `operator_file`
    how it is (None: in the first directory among the stores). What people
    uploaded into the directory `documents` belongs to each backup; the trial after a run reads what is new of it and
    `documents_sample` bytes of the rest. With `self_init` stores without a marker are given one by the first run; else
    that takes `init`, so that a disk that is not mounted is not taken for a new store.
    """

    def __init__(
        self,
        dsn: Dsn,
        stores: Stores,
        *,
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
        operator_file: Path | None = None,
        documents: Path | None = None,
        documents_sample: int = SAMPLE,
        self_init: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        jobs = default_jobs() if jobs is None else jobs
        if not 1 <= jobs <= MOST_JOBS:
            msg = f"Backups: jobs is {jobs}; allowed: 1 to {MOST_JOBS}"
            raise ValueError(msg)
        self.dsn = dsn
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
        self._operator_file = operator_file
        self._places = Places(stores)
        key = lru_cache(maxsize=16)(key)  # a passphrase takes a second
        self.catalogue = Catalogue(stores, prefix, refuses=self._markers.refuses, clock=clock)
        self.database = DatabaseBackups(dsn, stores, key, self._toolbox, jobs, binaries=binaries, clock=clock)
        self.cluster = ClusterBackups(dsn, stores, self.catalogue, key, self._toolbox, clock=clock)
        self.documents = Documents(documents, stores, self.catalogue, prefix, key, self._places.root, clock=clock)
        self._thinning = Thinning(stores, self.catalogue, self.cluster, self.documents, self.retention)

    def run(self, progress: Progress = silent, *, kind: str = "dump", verify: bool = True, gentle: bool = False) -> Run:
        """Make a backup, restore it for trial, then remove what need not be kept.

        `kind` is dump (this database), base (the whole cluster) or incremental (what changed since the last of both).
        A `gentle` one leaves room for others: a dump has one stream, a base reads at most 100 MB a second.
        VerificationFailed when the trial found something; the backup stays and is marked.
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
        kind, name, draft = ending.kind, backup_id(self._prefix, self._clock.time()), None
        try:
            packing = self.prepare()  # before the lock, whose file is in the directory that may not be mounted
        except BaseException as error:
            if events.active():
                events.emit(BackupFailed(name, error))
            raise
        with self._locked():
            try:
                taken = self.catalogue.entries()
                leapt = leap([entry.began for entry in taken if entry.complete], self._now())
                name = backup_id(self._prefix, self._clock.time(), [entry.id for entry in taken])
                ending.name = name
                draft = Draft(self._stores, name, packing)
                of = self.database if kind == "dump" else self.cluster
                manifest = of.take(draft, kind, progress, gentle=gentle)
                manifest = replace(manifest, details={**manifest.details, **self._markers.label()})
                if leapt:
                    manifest = replace(manifest, details={**manifest.details, "leap": {"days": leapt.days}})
                manifest = self.documents.take(draft, manifest, taken, progress)
                stores, lacking = self.catalogue.placed(manifest, draft.finish(manifest))
            except BaseException as error:
                if draft is not None:
                    draft.discard()
                if events.active():
                    events.emit(BackupFailed(name, error))
                raise
            if events.active():
                events.emit(BackupMade(name, kind, manifest.size, manifest.stored, manifest.duration, stores))
            ending.manifest, ending.stores = manifest, stores
            ending.proof = self._tried(manifest, progress, self._documents_sample) if verify else None
            ending.decisions = self._pruned() if ending.proof else ()
            problems = (*not_made(name, draft.failed), *lacking)
            return Run(manifest, stores, ending.proof, ending.decisions, problems)

    def _pruned(self) -> tuple[Decision, ...]:
        try:
            with self._deleting():
                return tuple(self._thinning.prune(self._now()))
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

    def prepare(self) -> Packing:
        """See that backups may be written, before anything is; how their files are packed now.

        StoreNotInitialised when no store has a marker, AllStoresFailed when some could not be asked for it,
        EncryptionRequired. With `self_init` a marker is made.
        """
        packing = self._packing()
        self._markers.prepare(encrypted=packing.encryption is not None, create=self._self_init)
        return packing

    def marker(self) -> Marker | None:
        """That of the stores; None where none has one."""
        return self._markers.known()

    def entries(self) -> list[Entry]:
        """Everything in the stores, the oldest first."""
        return self.catalogue.entries()

    def accept(self, backup: str) -> tuple[Problem, ...]:
        """Accept what `status` says of one backup, so that it is not red any more; what that was.

        Only what a person can decide: vanished documents, a failed trial, a kind that is not made any more, a clock that
        leapt. The rest is mended, or the backup is deleted.
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
        with self._locked(), self._deleting():
            entries = self.catalogue.entries()
            entry = next((each for each in entries if each.id == backup), None)
            if entry is None:
                raise BackupNotFound(backup, tuple(each.id for each in entries), self.catalogue.where)
            return self._thinning.delete(entry, entries)

    def _marked(self, backup: str, change: Callable[[Marks], Marks]) -> str:
        with self._locked():
            entry = self.catalogue.find(backup)
            self.catalogue.mark(change(entry.marks or Marks(entry.id)))
            return entry.id

    def verify(self, backup: str = "newest", progress: Progress = silent) -> Proof:
        """Restore a backup for trial and keep the proof; VerificationFailed when something is wrong with it."""
        with self._reading(progress):
            return self._tried(self._found(backup), progress)

    def check_copies(self, backup: str = "newest", progress: Progress = silent, *, read: bool = True) -> Copies:
        """Read every file of a backup in every store, or compare names and sizes; nothing is restored or mended.

        Of the whole cluster, the log is read too: WrongKey when it cannot be opened.
        """
        with self._reading(progress):
            survey = self.catalogue.survey()
            entry = self.catalogue.find(backup, survey=survey)
            if not read:
                lacking = known_flaws(entry, survey)
                flawed = {flaw.store for flaw in lacking}
                return Copies(entry.id, tuple(name for name in self._names() if name not in flawed), lacking)
            found = read_everywhere(self._stores, entry, survey, progress)
            assert entry.manifest is not None
            found = found.with_flaws(self.documents.flaws(entry.manifest, progress))
            return found.with_flaws(self.cluster.read_log(progress)) if is_cluster(entry) else found

    def copy(self, backup: str = "newest", progress: Progress = silent, *, read: bool = False) -> Brought:
        """Bring a backup to the stores that lack files of it, by names and sizes; with `read`, every file is read first.

        Each file is checked while it is copied, and comes from a store that has it right.
        """
        with self._locked():
            survey = self.catalogue.survey()
            entry = self.catalogue.find(backup, survey=survey)
            flaws = read_everywhere(self._stores, entry, survey, progress).flaws if read else known_flaws(entry, survey)
            assert entry.manifest is not None
            known = self.documents.flaws(entry.manifest, progress) if read else ()
            documents = self.documents.bring(entry.manifest, known)
            unmade = {flaw.store for flaw in documents.left}  # no manifest goes where documents are missing
            done = bring(self._stores, entry, [flaw for flaw in flaws if flaw.store not in unmade], progress)
            return replace(done, files=(*documents.files, *done.files), left=(*documents.left, *done.left))

    def copy_log(self, *, read: bool = False) -> list[Repaired]:
        """Bring WAL to the stores that lack some of it, and in place of what is damaged, by size; with `read`, by content."""
        with self._locked():
            return self.cluster.copy_log(read=read)

    def accept_cluster(self, cluster: str) -> None:
        """Say that the cluster with this system identifier may write where there are backups of others."""
        self.cluster.accept(cluster)

    def restore_into(
        self, name: str, backup: str = "latest", progress: Progress = silent, *, documents: Path | None = None
    ) -> Restored:
        """Restore as the new database `name`, and its documents into the new directory `documents` (None: not)."""
        with self._reading(progress):
            dump = self._found(backup, "dump")
            beside = self.documents.of(dump, into=documents) if documents else Untouched()
            return self.database.restore_into(dump, name, beside, progress)

    def restore_in_place(
        self,
        confirm: Callable[[str], bool],
        backup: str = "latest",
        progress: Progress = silent,
        *,
        documents: bool = True,
        quiet: AbstractContextManager[object] | None = None,
    ) -> Restored:
        """Put a backup in the place of the database, which is kept beside it; `confirm` is asked with its name.

        What follows is done within `quiet`, such as `Maintenance.held`: who writes then would lose it. Its
        `documents` take the place of the present ones, which are kept too.
        """
        with self._reading(progress):
            entry = self.catalogue.find(backup, "dump")
            if entry.failed and not entry.accepts(Trouble.TRIAL_FAILED):
                reason = f"{entry.id} failed its trial"
                advice = "restore `latest`, restore this one as a new database, or accept it with `backup accept`"
                raise RestoreRefused(self.dsn.database or "", reason, advice)
            dump = entry.manifest
            assert dump is not None
            beside = self.documents.of(dump) if documents else Untouched()
            return self.database.restore_in_place(dump, confirm, beside, quiet, progress)

    def restore_documents(self, directory: Path, backup: str = "latest", progress: Progress = silent) -> Returned:
        """Bring the documents of a backup of whatever kind into the new `directory`, and nothing else."""
        with self._reading(progress):
            with self.documents.of(self._found(backup), into=directory) as beside:
                beside.fetch(progress)
                beside.swap()
                beside.settle()
            assert beside.returned is not None
            return beside.returned

    def recover(
        self,
        directory: Path,
        target: datetime | Target | None = None,
        progress: Progress = silent,
        *,
        documents: Path | None = None,
        cluster: str | None = None,
    ) -> Recovered:
        """Make the new data directory `directory` as the whole cluster was at `target` (None: the last moment).

        It is left stopped; `esteio.backup.cluster.swap` puts it in the place of the old one. RestoreRefused shows
        what can be reached. The documents of that moment go into the new directory `documents` (None: nowhere).
        A `Target` stops at a transaction, a position, a restore point or at the end of the base, and names a timeline; the
        documents are then the newest. `cluster` is its system identifier, needed where the stores hold several and none was
        accepted.
        """
        with self._reading(progress):
            beside = self.documents.as_of(time_of(target), into=documents) if documents else Untouched()
            return recover_beside(self.cluster, directory, target, beside, progress, which=cluster)

    def recover_in_place(
        self,
        data_dir: Path,
        confirm: Callable[[str], bool],
        target: datetime | Target | None = None,
        progress: Progress = silent,
        *,
        documents: bool = True,
        cluster: str | None = None,
    ) -> tuple[Recovered, Path | None]:
        """As `recover`, but in the place of `data_dir`, whose server is stopped; and where the old directory is now.

        `confirm` is asked with the directory's name when there is one. The `documents` of that moment take the place of
        the present ones, which are kept too.
        """
        data_dir = data_dir.resolve()
        require_stopped(data_dir)
        if data_dir.is_mount():  # found out now, not by the rename after hours of copying
            advice = "use a directory below it, or restore the cluster into a new directory"
            raise RestoreRefused(str(data_dir), "it is a mount point, which can't be renamed", advice)
        if data_dir.exists() and not confirm(data_dir.name):
            raise NotConfirmed(data_dir.name)
        try:
            data_dir.parent.mkdir(parents=True, exist_ok=True)  # on a new machine there is nothing yet
        except OSError as error:
            reason = f"{data_dir.parent}: {error.strerror}"
            raise RestoreRefused(str(data_dir), reason, "make that directory, or name another one") from error
        with self._reading(progress):
            beside = self.documents.as_of(time_of(target)) if documents else Untouched()
            return recover_in_place(self.cluster, data_dir, target, beside, progress, which=cluster, clock=self._clock)

    def recover_server(
        self,
        server: Embedded,
        confirm: Callable[[str], bool],
        target: datetime | Target | None = None,
        progress: Progress = silent,
        *,
        documents: bool = True,
        cluster: str | None = None,
        quiet: AbstractContextManager[object] | None = None,
    ) -> tuple[Recovered, Path | None]:
        """As `recover_in_place`, of an embedded server, which goes on until the new directory is ready.

        Then it is stopped; whoever keeps it up starts the restored one at once. `quiet` is around all that is done after
        `confirm`, such as `Maintenance.held`, and may wait at its end until that server answers.
        """
        with self._reading(progress):
            beside = self.documents.as_of(time_of(target)) if documents else Untouched()
            return recover_server(
                self.cluster,
                server,
                confirm,
                target,
                progress,
                which=cluster,
                documents=beside,
                quiet=quiet,
                clock=self._clock,
            )

    def archive(self) -> WalArchive:
        """The service that receives the cluster's log into the first directory among the stores; NotPossible without one."""
        with connect(self.dsn) as conn:
            major = int(one(conn, "SHOW server_version_num")) // 10000
        root = self.directory
        if root is None:
            raise NotPossible("wal", "the log is received into a directory, and no store is one", "set BACKUP_DIR")
        self.prepare()
        for store in self._stores.stores:  # a disk that is not mounted must not be filled where it should be
            if isinstance(store, MarkedStore) and getattr(store, "root", None) == root:
                store.require()
        return WalArchive(
            lambda: self.dsn, root, self._stores, self._toolbox(major), self._wal_packing, limit=self._spool_limit
        )

    def _wal_packing(self) -> Packing:
        """With the key of an earlier archive where the stores have one that opens: one key for a repository."""
        return packing_with_known_key(self._packing(), self._stores, self.cluster.key)

    def drop_slot(self) -> bool:
        """Remove the replication slot of the archive, which keeps log on the server; False when there was none.

        What was not received by then is lost: the next `archive` begins with a gap. DatabaseRefused while it is in use.
        """
        with connect(self.dsn) as conn:
            statement = "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots"
            return conn.execute(f"{statement} WHERE slot_name = %s", [_SLOT]).rowcount > 0

    def plan_database(self, backup: str = "latest", kind: str | None = "dump") -> RestorePlan:
        """What a restore of that backup would bring back, how long it takes, and what is lost by it."""
        survey = self.catalogue.survey()
        return plan_restore(self.catalogue.find(backup, kind, survey), survey.entries, self._now())

    def plan_cluster(self, target: datetime | Target | None, name: str, cluster: str | None = None) -> RestorePlan:
        """As `plan_database`, of the whole cluster at `target`; RestoreRefused, about `name`, when it can't be reached."""
        base = self.cluster.reach(name, target, cluster)
        survey = self.catalogue.survey()
        windows = self.cluster.windows()
        until = time_of(target) or (windows[base.id].ends if base.id in windows else None)
        plan = plan_restore(self.catalogue.find(base.id, survey=survey), survey.entries, self._now(), until)
        # When a transaction or a position was, and where another timeline ends, is only known after the replay.
        return plan if time_of(target) or not isinstance(target, Target) else replace(plan, lost=None)

    @property
    def directory(self) -> Path | None:
        """The first directory among the stores, where the log is received and locks are; None when no store is one."""
        return self._places.root

    @property
    def operator_file(self) -> Path | None:
        """Where whoever makes the backups by itself says how they are; None when there is no such place."""
        return self._operator_file or (self._places.file("operator.json") if self._places.root else None)

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
        return Scheduler(tasks, made, self._places.directory, wanted=wanted, interrupt=interrupt, clock=self._clock)

    def prune(self, *, dry_run: bool = False) -> list[Decision]:
        """What is kept and what is removed, each with its reason; with `dry_run`, nothing is."""
        with self._locked():
            if dry_run:
                return self._thinning.decisions(self._now())
            with self._deleting():
                return self._thinning.prune(self._now())

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

        return Watch(self._prefix, (problems,), self._places.file("watch.json"), clock=self._clock)

    def folder(self, backup: str = "latest") -> Folder:
        """The files of a dump."""
        return self.database.folder(self._found(backup, "dump"))

    def _found(self, backup: str, kind: str | None = None) -> Manifest:
        manifest = self.catalogue.find(backup, kind).manifest
        assert manifest is not None
        return manifest

    def _tried(self, manifest: Manifest, progress: Progress, sample: int | None = None) -> Proof:
        of = self.cluster if manifest.kind in KINDS else self.database
        proof = of.verify(manifest, self._scratch, progress)
        proof = self.documents.tried(manifest, proof, progress, sample)
        self.catalogue.prove(proof)
        if events.active():
            events.emit(BackupVerified(proof.backup, proof.total_seconds, proof.problems))
        if not proof.ok:
            raise VerificationFailed(proof.backup, proof.problems)
        return proof

    def _toolbox(self, major: int) -> Toolbox:
        return Toolbox(major, self._binaries)

    def _locked(self) -> Lock:
        return Lock(self._lock_file())

    def _reading(self, progress: Progress) -> Lock:
        """Beside runs and other readers; nothing is removed meanwhile. A prune that is under way is waited for."""
        path, waiting = self._places.file("lock-readers"), lambda: progress("wait", 0, 0, "")
        return Lock(path, _RESTORE_PATIENCE, waiting, shared=True, clock=self._clock)

    def _deleting(self) -> Lock:
        """AlreadyRunning while somebody reads."""
        return Lock(self._places.file("lock-readers"))

    def _lock_file(self) -> Path:
        return self._places.file("lock")

    def _names(self) -> list[str]:
        return [store.name for store in self._stores.stores]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)
