"""Base backups and log of one cluster, as `Backups` keeps them: taken, verified, brought back, pruned.

Promises: a verification restores the whole chain into a temporary directory, starts it, reads every table and compares every
page with its checksum; its `Verification` comes back whether it is sound or not. Log is removed only when no base backup that
is kept could need it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from esteio.backup._catalogue import Catalogue, Entry
from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupDamaged, DatabaseRefused, RestoreRefused, ToolFailed, VerificationFailed
from esteio.backup._files import BackupReader, BackupWriter
from esteio.backup._manifest import Manifest
from esteio.backup._problem import CopyDefect, Problem
from esteio.backup._progress import Progress, silent
from esteio.backup._session import connect, of_standby, one
from esteio.backup._verification import Verification
from esteio.backup.archive._fetch import dated, log_key
from esteio.backup.archive._inventory import RECEIVED, Branch, Wal, branches, list_wal
from esteio.backup.archive._repair import Repaired, read_log, repair_log
from esteio.backup.archive._segments import ACCEPTED, system_folder
from esteio.backup.archive._status import read_status
from esteio.backup.base._take import NotPossible, take_base
from esteio.backup.packing import Decryption, WrongKey
from esteio.backup.restore._clusters import Clusters, system_of
from esteio.backup.restore._plan import Plan, Target, Window, base_backup_due, plan, unneeded, window
from esteio.backup.restore._recover import Recovered, recover, refuse_early
from esteio.backup.store import StoreError, Stores
from esteio.backup.tools import Toolbox
from esteio.backup.verify._cluster import ClusterVerification
from esteio.backup.verify._directory import VerificationDirectory
from esteio.clock import SYSTEM, Clock
from esteio.postgres import DatabaseUnavailable, Dsn
from esteio.postgres.embedded import StartFailed

__all__ = ["KINDS", "ClusterBackups"]

KINDS = ("base", "incremental")
_GENTLE = 100  # MB a second: at that a service's 99th percentile stayed what it was
_LONGEST_CHAIN = 14  # incrementals on one base: each costs a restore its time


class ClusterBackups:
    """The base backups in `catalogue` and the log in `stores`; `toolbox` makes the programs of a major."""

    def __init__(
        self,
        dsn: Dsn,
        stores: Stores,
        catalogue: Catalogue,
        key: Callable[[bytes | None], Decryption | None],
        toolbox: Callable[[int], Toolbox],
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._dsn = dsn
        self._stores = stores
        self._catalogue = catalogue
        self.key = key
        self._toolbox = toolbox
        self._clock = clock

    def take(self, writer: BackupWriter, kind: str, progress: Progress = silent, *, gentle: bool = False) -> Manifest:
        """Write a backup of `kind` base or incremental into `writer`; NotPossible when there is nothing to build on.

        A `gentle` one is read at 100 MB a second at most. Where the address names several servers, it is copied from a standby
        that follows closely, if there is one.
        """
        source = of_standby(self._dsn)
        with connect(source) as conn:
            major = int(one(conn, "SHOW server_version_num")) // 10000
        parent = self._parent() if kind == "incremental" else None
        files = self._folder(parent).text("files").encode() if parent else b""
        return take_base(
            writer,
            self._toolbox(major),
            source,
            progress,
            parent=parent,
            parent_files=files,
            rate=_GENTLE if gentle else None,
            clock=self._clock,
        )

    def verify(self, backup: Manifest, directory: Path | None, progress: Progress = silent) -> Verification:
        """Restore a backup, with all it needs, below `directory` (None: the temporary one), and look at it."""
        began = self._clock.monotonic()
        problems, log = tuple[str, ...](), ""
        tools = self._toolbox(backup.major)
        with VerificationDirectory(directory, binaries=tools.directory, clock=self._clock) as home:
            needed = {backup.id, *backup.details["needs"]}
            chain = plan([base for base in self._bases() if base.id in needed], (), None, name=backup.id)
            checks = ClusterVerification(chain, home / "data", tools, progress, self._clock)
            try:
                for each in chain.chain:
                    self._folder(each).check(progress)
                checks.checked.append("sha256 of each file")
                checks.run(self._stores, self.key)
            except BackupDamaged as error:
                problems = (DetailCode.IN_FILE(file=error.file, reason=error.problem),)
            except VerificationFailed as error:
                problems = error.problems
            except ToolFailed as error:
                problems, log = (error.brief,), error.stderr
            except (StartFailed, DatabaseRefused, DatabaseUnavailable) as error:
                problems, log = (_brief(error),), str(error)
        return Verification(
            backup.id,
            datetime.fromtimestamp(self._clock.time(), UTC).isoformat(timespec="seconds"),
            round(checks.restore_seconds, 3),
            round(self._clock.monotonic() - began, 3),
            backup.server_version,
            checks.rows,
            tuple(checks.checked),
            problems,
            log,
        )

    def windows(self) -> Mapping[str, Window]:
        """What can be reached from each base backup, by its name, the oldest first."""
        known = self._clusters()
        found: dict[str, Window] = {}
        for system in known.systems:
            if bases := known.bases_of(system):
                log, histories = self._wal(known, bases[-1]), self._branches(known, system)
                found |= {base.id: window(base, log, histories) for base in bases}
        return {base.id: found[base.id] for base in known.bases}

    def accept(self, system: str) -> None:
        """A person says that the cluster `system` may write where there are backups of others; ValueError if unknown."""
        known = self._clusters().systems
        if system not in known:
            msg = f"cluster {system!r} is not in the stores; known are {', '.join(known) or 'none'}"
            raise ValueError(msg)
        self._stores.put(f"{system_folder(system)}/{ACCEPTED}", b"a person accepted this cluster\n")

    def recover(
        self,
        directory: Path,
        target: datetime | Target | None,
        progress: Progress = silent,
        *,
        cluster: str | None = None,
        delta: bool = False,
        mapping: Mapping[str, Path] | None = None,
    ) -> Recovered:
        """Make the new data directory `directory` as the cluster was at `target` (None: the last moment there is).

        `cluster` is its system identifier, needed where the stores hold several and none was accepted. RestoreRefused
        with what can be reached when `target` is not in it. `swap` then puts it in place. With `delta` the directory is
        there, and what differs in it is rewritten. `mapping` says where tablespaces go, by where they were.
        """
        found = self._plan(directory, target, cluster)
        tools = self._toolbox(found.base.major)
        return recover(
            found,
            directory,
            self._stores,
            tools,
            self.key,
            progress=progress,
            delta=delta,
            mapping=mapping,
            clock=self._clock,
        )

    def require_rewritable(
        self, directory: Path, target: datetime | Target | None, *, cluster: str | None = None
    ) -> None:
        """RestoreRefused when `directory` can't be brought to `target` by rewriting what differs."""
        found = self._plan(directory, target, cluster)
        refuse_early(found, directory, self._toolbox(found.base.major), delta=True)

    def reach(self, name: str, target: datetime | Target | None, cluster: str | None = None) -> Manifest:
        """The backup from which `target` is reached (None: the last moment); RestoreRefused, about `name`, when none is."""
        return self._plan(Path(name), target, cluster).base

    def require_reachable(
        self,
        data_dir: Path,
        target: datetime | Target | None,
        *,
        major: int,
        cluster: str | None = None,
        mapping: Mapping[str, Path] | None = None,
    ) -> None:
        """RestoreRefused when `data_dir`, of a server of `major`, can't be brought to `target`, as far as is known."""
        found = self._plan(data_dir, target, cluster)
        if found.base.major != major:
            reason = DetailCode.SERVER_DIFFERS(backup=found.base.major, server=major)
            raise RestoreRefused(str(data_dir), reason, DetailCode.RESTORE_DUMP())
        new = data_dir.with_name(f"{data_dir.name}.restoring")
        refuse_early(found, new, self._toolbox(major), mapping=mapping)

    def base_backup_due(self) -> str | None:
        """Why a base backup has to be made now; None when the newest one, with the WAL after it, reaches up to now.

        There is none of this cluster, it failed its verification, WAL is missing after it, or the server went on to
        another timeline, by a restore or as another one leads. Asks the server which cluster it is, and reads the catalogue
        and the list of WAL once; AllStoresFailed when no store can be asked.
        """
        entries = self._catalogue.entries()
        known = self._clusters(entries)
        bases = self._own(known)
        if not bases:
            return base_backup_due(None, sound=True, log=())
        newest = bases[-1]
        wal = known.wal(system_of(newest), int(newest.details["segment_size"]))
        return base_backup_due(newest, sound=newest.id not in _failed(entries), log=wal)

    def problems(self, allowed: float = 3600.0) -> tuple[Problem, ...]:
        """What is wrong with the WAL in the stores, and as its archive says; nothing where no WAL is kept.

        The newest in each store may be `allowed` seconds old.
        """
        known = self._clusters()
        found = known.problems(self._clock.time(), allowed, lambda system: self._branches(known, system))
        archive = read_status(self._received())
        return found if archive is None else (*found, *archive.problems_at(self._clock.time()))

    def read_log(self, progress: Progress = silent) -> Sequence[CopyDefect]:
        """Read the WAL in every store; what is wrong with it, by file and store."""
        return read_log(self._stores, self._opened(), progress)

    def keeps_wal(self, system: str) -> bool:
        """Whether there is WAL of the cluster `system` beside its bases."""
        return bool(self._segments(system))

    def has_segment(self, system: str, file: str) -> bool:
        """Whether the segment `file` of the cluster `system` was received whole."""
        return any(wal.segment.name == file and not wal.partial for wal in self._segments(system))

    def copy_log(self, *, read: bool = False) -> list[Repaired]:
        """Bring WAL to the stores that lack some, and in place of what is damaged; with `read` all of it is read."""
        opened = self._opened()
        try:
            opened()
        except WrongKey:
            return repair_log(self._stores, None, read=read)
        return repair_log(self._stores, opened, read=read)

    def unneeded(self, kept: Sequence[Manifest]) -> tuple[Wal, ...]:
        """The WAL in the stores that none of the backups that are `kept` needs."""
        known = self._clusters()
        found: list[Wal] = []
        for system in known.systems:
            bases = [backup for backup in kept if backup.kind in KINDS and system_of(backup) == system]
            if bases:
                found += unneeded(bases, known.wal(system, int(bases[-1].details["segment_size"])))
        return tuple(found)

    def remove(self, log: Sequence[Wal]) -> dict[str, StoreError]:
        """Remove log from the stores; what still holds some, and why."""
        failed: dict[str, StoreError] = {}
        for wal in log:
            if wal.key is not None:
                failed.update(self._stores.delete(wal.key))
        return failed

    def _plan(self, directory: Path, target: datetime | Target | None, cluster: str | None) -> Plan:
        entries = self._catalogue.entries()
        known = self._clusters(entries)
        if not known.bases:
            raise RestoreRefused(str(directory), DetailCode.NO_BASE(), DetailCode.MAKE_BASE())
        bases = self._chosen(known, directory, cluster)
        log, histories = self._wal(known, bases[-1]), self._branches(known, system_of(bases[-1]))
        return plan(bases, log, target, name=str(directory), branches=histories, failed=_failed(entries))

    def _chosen(self, known: Clusters, directory: Path, cluster: str | None) -> list[Manifest]:
        """The bases of the cluster that is asked for; where several are there, only a person knows which is meant."""
        with_bases = [system for system in known.systems if known.bases_of(system)]
        accepted = [system for system in with_bases if system in known.listing.accepted]
        if cluster is None and (len(with_bases) == 1 or accepted):
            return known.bases_of((accepted or with_bases)[-1])
        if cluster in with_bases:
            return known.bases_of(cluster)
        windows = self.windows()
        shown = tuple(
            DetailCode.CLUSTER_REACHABLE(cluster=each, window=str(windows[known.bases_of(each)[-1].id]))
            for each in with_bases
        )
        reason = DetailCode.SEVERAL_CLUSTERS(count=len(with_bases), clusters=shown)
        if cluster is not None:
            reason = DetailCode.CLUSTER_WITHOUT_BASE(cluster=cluster, reason=reason)
        raise RestoreRefused(str(directory), reason, DetailCode.NAME_CLUSTER())

    def _own(self, known: Clusters) -> list[Manifest]:
        """The bases of the cluster that our server is; while it does not answer, of the one that wrote last."""
        try:
            with connect(self._dsn) as conn:
                system = str(one(conn, "SELECT system_identifier FROM pg_catalog.pg_control_system()"))
        except DatabaseUnavailable:
            system = known.systems[-1] if known.systems else ""
        return known.bases_of(system)

    def _parent(self) -> Manifest:
        entries = self._catalogue.entries()
        bases = self._own(self._clusters(entries))
        if not bases:
            raise NotPossible("incremental", DetailCode.NO_BASE(), DetailCode.MAKE_KIND_BASE())
        if bases[-1].id in _failed(entries):
            reason = DetailCode.BACKUP_FAILED(backup=bases[-1].id)
            raise NotPossible("incremental", reason, DetailCode.MAKE_KIND_BASE())
        if len(bases[-1].details["needs"]) >= _LONGEST_CHAIN:
            reason = DetailCode.CHAIN_TOO_LONG(limit=_LONGEST_CHAIN)
            raise NotPossible("incremental", reason, DetailCode.MAKE_KIND_BASE())
        return bases[-1]

    def _bases(self, entries: Sequence[Entry] | None = None) -> list[Manifest]:
        """By the time they ended, which is the moment each brings back."""
        if entries is None:
            entries = self._catalogue.entries()
        found = [entry.manifest for entry in entries if entry.manifest]
        return sorted((each for each in found if each.kind in KINDS), key=lambda each: str(each.details["ended"]))

    def _folder(self, backup: Manifest) -> BackupReader:
        return BackupReader(self._stores, backup, self.key)

    def _clusters(self, entries: Sequence[Entry] | None = None) -> Clusters:
        return Clusters(self._bases(entries), list_wal(self._stores), self._received())

    def _wal(self, known: Clusters, base: Manifest) -> Sequence[Wal]:
        wal = known.wal(system_of(base), int(base.details["segment_size"]))
        return dated(wal, self._stores, self._opened())

    def _segments(self, system: str) -> Sequence[Wal]:
        known = self._clusters()
        bases = known.bases_of(system)
        return known.wal(system, int(bases[-1].details["segment_size"])) if bases else ()

    def _opened(self) -> Callable[[], Decryption | None]:
        return cache(partial(log_key, self._stores, self.key))

    def _branches(self, known: Clusters, system: str) -> Mapping[int, Branch]:
        return branches(self._stores, self._received(), system, former=known.is_former(system))

    def _received(self) -> Path:
        roots = [root for store in self._stores.stores if isinstance(root := getattr(store, "root", None), Path)]
        return roots[0] / RECEIVED if roots else Path(RECEIVED)


def _brief(error: StartFailed | DatabaseRefused | DatabaseUnavailable) -> str:
    """What happened, without the server's own words, which go into the verification's log."""
    if isinstance(error, StartFailed):
        return DetailCode.SERVER_NOT_STARTED()
    return DetailCode.SERVER_REFUSED() if isinstance(error, DatabaseRefused) else DetailCode.SERVER_LOST()


def _failed(entries: Sequence[Entry]) -> frozenset[str]:
    """The names of those that did not pass their verification."""
    return frozenset(entry.id for entry in entries if entry.verification is not None and not entry.verification.ok)
