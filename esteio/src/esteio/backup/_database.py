"""Dumps of one database, as `Backups` keeps them: taken, verified, brought back.

Promises: what `ClusterBackups` is for the whole cluster, for one database; the work itself is in `dump`, `verify` and
`restore`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from esteio.backup._details import DetailCode
from esteio.backup._errors import ManifestError
from esteio.backup._files import BackupReader, BackupWriter
from esteio.backup._manifest import Manifest
from esteio.backup._progress import Progress, silent
from esteio.backup._verification import Verification
from esteio.backup.documents import Untouched
from esteio.backup.dump import take
from esteio.backup.packing import Decryption
from esteio.backup.restore import Restored, restore_in_place, restore_into
from esteio.backup.store import Stores
from esteio.backup.tools import Toolbox
from esteio.backup.verify import verify_dump
from esteio.clock import SYSTEM, Clock
from esteio.postgres import Dsn

__all__ = ["DatabaseBackups"]


class DatabaseBackups:
    """Of the database `dsn`, `jobs` streams at the same time; `toolbox` makes the programs of a major."""

    def __init__(
        self,
        dsn: Dsn,
        stores: Stores,
        key: Callable[[bytes | None], Decryption | None],
        toolbox: Callable[[int], Toolbox],
        jobs: int,
        *,
        binaries: Path | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._dsn = dsn
        self._stores = stores
        self._key = key
        self._toolbox = toolbox
        self._jobs = jobs
        self._binaries = binaries
        self._clock = clock

    def take(self, writer: BackupWriter, kind: str, progress: Progress = silent, *, gentle: bool = False) -> Manifest:
        """Write a dump into `writer`, in one stream when it is `gentle`; the manifest is for `writer.finish`."""
        at, began = datetime.fromtimestamp(self._clock.time(), UTC), self._clock.monotonic()
        jobs = 1 if gentle else self._jobs
        found = take(self._dsn, self._toolbox, writer, progress, jobs=jobs, secrets=writer.encryption is not None)
        return Manifest(
            id=writer.id,
            kind=kind,
            began=at.isoformat(timespec="seconds"),
            duration=round(self._clock.monotonic() - began, 3),
            server_version=found.server_version,
            tool_version=found.tool_version,
            parts=writer.parts,
            encryption=writer.encryption,
            database=found.database,
            roles=found.roles,
            extensions=found.extensions,
            tables=found.tables,
            lsn=found.lsn,
            details={"left_out": found.left_out} if found.left_out else {},
        )

    def verify(self, backup: Manifest, directory: Path | None, progress: Progress = silent) -> Verification:
        """Restore a dump on a server of its own below `directory` (None: the temporary one), and look at it."""
        return verify_dump(
            self.reader(backup),
            self._toolbox,
            progress,
            jobs=self._jobs,
            directory=directory,
            binaries=self._binaries,
            clock=self._clock,
        )

    def reader(self, backup: Manifest) -> BackupReader:
        """Its files; ManifestError when it is no dump."""
        if backup.kind != "dump":
            reason = DetailCode.WHOLE_CLUSTER(kind=backup.kind)
            raise ManifestError(backup.id, reason, DetailCode.RESTORE_DATA_DIRECTORY())
        return BackupReader(self._stores, backup, self._key)

    def restore_into(self, backup: Manifest, name: str, documents: Untouched, progress: Progress = silent) -> Restored:
        """Restore as the new database `name`, and `documents` with it."""
        return restore_into(
            self._dsn,
            self.reader(backup),
            name,
            self._toolbox,
            progress,
            jobs=self._jobs,
            documents=documents,
            clock=self._clock,
        )

    def restore_in_place(
        self,
        backup: Manifest,
        confirm: Callable[[str], bool],
        documents: Untouched,
        quiet: AbstractContextManager[object] | None,
        progress: Progress = silent,
    ) -> Restored:
        """Put a dump in the place of the database, and `documents` in theirs, within `quiet`."""
        return restore_in_place(
            self._dsn,
            self.reader(backup),
            self._toolbox,
            confirm,
            progress,
            jobs=self._jobs,
            documents=documents,
            quiet=quiet,
            clock=self._clock,
        )
