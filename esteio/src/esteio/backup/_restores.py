"""What `Backups` brings back: a database, its documents, the whole cluster; and what that would do.

Promises: the stores are read under the readers' lock, so that nothing is pruned meanwhile; nothing is overwritten that
was not confirmed. What is replaced is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from esteio.backup._details import DetailCode
from esteio.backup._errors import NotConfirmed, RestoreRefused
from esteio.backup._files import BackupReader
from esteio.backup._parts import Parts
from esteio.backup._problem import ProblemCode
from esteio.backup._progress import Progress, silent
from esteio.backup.cluster import (
    recover_beside,
    recover_in_place,
    recover_server,
    require_stopped,
    rewrite_in_place,
)
from esteio.backup.documents import Returned, Untouched
from esteio.backup.restore import Recovered, Restored, RestorePlan, Target, plan_restore, time_of
from esteio.postgres.embedded import Embedded

__all__ = ["Restores"]


class Restores(Parts):
    """How `Backups` restores."""

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
            if entry.failed and not entry.accepts(ProblemCode.VERIFICATION_FAILED):
                reason = DetailCode.BACKUP_FAILED(backup=entry.id)
                raise RestoreRefused(self.dsn.database or "", reason, DetailCode.USE_LATEST())
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
        tablespaces: Mapping[str, Path] | None = None,
    ) -> Recovered:
        """Make the new data directory `directory` as the whole cluster was at `target` (None: the last moment).

        It is left stopped; `esteio.backup.cluster.swap` puts it in the place of the old one. RestoreRefused shows
        what can be reached. The documents of that moment go into the new directory `documents` (None: nowhere).
        A `Target` stops at a transaction, a position, a restore point or at the end of the base, and names a timeline; the
        documents are then the newest. `cluster` is its system identifier, needed where the stores hold several and none was
        accepted. Tablespaces go where `tablespaces` says, by where they were on the server, else into `directory`.
        """
        with self._reading(progress):
            beside = self.documents.as_of(time_of(target), into=documents) if documents else Untouched()
            return recover_beside(self.cluster, directory, target, beside, progress, which=cluster, mapping=tablespaces)

    def recover_in_place(
        self,
        data_dir: Path,
        confirm: Callable[[str], bool],
        target: datetime | Target | None = None,
        progress: Progress = silent,
        *,
        documents: bool = True,
        cluster: str | None = None,
        delta: bool = False,
        tablespaces: Mapping[str, Path] | None = None,
    ) -> tuple[Recovered, Path | None]:
        """As `recover`, but in the place of `data_dir`, whose server is stopped; and where the old directory is now.

        With `delta` only files that differ from the base, by size and checksum, are rewritten in it, and in its tablespaces
        where they are: nothing is kept, and `tablespaces` must not be given.

        `confirm` is asked with the directory's name when there is one. The `documents` of that moment take the place of
        the present ones, which are kept too.
        """
        if delta and tablespaces:
            msg = "recover_in_place: tablespaces are rewritten where they are with delta; leave out one of the two"
            raise ValueError(msg)
        data_dir = data_dir.resolve()
        require_stopped(data_dir)
        if data_dir.is_mount():  # found out now, not by the rename after hours of copying
            raise RestoreRefused(str(data_dir), DetailCode.MOUNT_POINT(), DetailCode.USE_BELOW_OR_NEW())
        if data_dir.exists() and not confirm(data_dir.name):
            raise NotConfirmed(data_dir.name)
        try:
            data_dir.parent.mkdir(parents=True, exist_ok=True)  # on a new machine there is nothing yet
        except OSError as error:
            reason = DetailCode.PARENT_UNUSABLE(directory=str(data_dir.parent), error=error.strerror or str(error))
            raise RestoreRefused(str(data_dir), reason, DetailCode.MAKE_PARENT()) from error
        with self._reading(progress):
            beside = self.documents.as_of(time_of(target)) if documents else Untouched()
            if delta:
                done = rewrite_in_place(self.cluster, data_dir, target, beside, progress, which=cluster)
                return done, None
            return recover_in_place(
                self.cluster,
                data_dir,
                target,
                beside,
                progress,
                which=cluster,
                mapping=tablespaces,
                clock=self._clock,
            )

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
        tablespaces: Mapping[str, Path] | None = None,
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
                mapping=tablespaces,
                clock=self._clock,
            )

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

    def reader(self, backup: str = "latest") -> BackupReader:
        """The files of a dump."""
        return self.database.reader(self._found(backup, "dump"))
