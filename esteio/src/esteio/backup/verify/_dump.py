"""The verification of a dump: every file read, restored on a scratch server, compared with the manifest, its indexes
checked.

Promises: a `Verification` comes back whether the backup is sound or not, with what was wrong; an error comes out only when
the verification itself could not be made (no server of that major, no space, no key), which says nothing about the
backup. The scratch server's data is removed whatever happens.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupDamaged, CannotVerify, ToolFailed, VerificationFailed
from esteio.backup._files import BackupReader
from esteio.backup._progress import Progress, silent
from esteio.backup._session import connect, one
from esteio.backup._verification import Verification
from esteio.backup.dump import load, server_version
from esteio.backup.restore import require_extensions
from esteio.backup.tools import Toolbox
from esteio.backup.verify._directory import VerificationDirectory
from esteio.backup.verify._loopback import LoopbackServer
from esteio.clock import SYSTEM, Clock
from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded

__all__ = ["Scratch", "verify_dump"]

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "autovacuum": "off",
    "max_connections": "20",
    "logging_collector": "off",
}


class Scratch:
    """A running server of PostgreSQL `major` within the block; its data below `directory` (None: the temporary one).

    `binaries` is the directory of its programs (None: those of the embedded server). Enter and leave it in one thread: with
    the end of that the server ends too (on Linux).
    """

    def __init__(self, major: int, *, directory: Path | None = None, binaries: Path | None = None) -> None:
        self._major = major
        self._parent = directory
        self._binaries = binaries

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._home = stack.enter_context(VerificationDirectory(self._parent, binaries=self._binaries))
            self._server = self._made(self._home / "data")
            self._server.start()
            stack.callback(self._server.stop, timeout=5.0)
            self._ending = stack.pop_all()
        return self

    def _made(self, data: Path) -> Embedded | LoopbackServer:
        if not hasattr(os, "geteuid"):  # Windows has no Unix sockets for us
            return LoopbackServer(data, major=self._major, binaries=self._binaries, settings=_SETTINGS)
        return Embedded(
            data,
            major=self._major,
            binaries=self._binaries,
            settings=_SETTINGS,
            unresponsive_after=None,  # on a busy machine it may say nothing for long, and nobody needs it soon
            die_with_parent=True,
        )

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ending.close()

    @property
    def home(self) -> Path:
        """The directory its data lies below."""
        return self._home

    @property
    def dsn(self) -> Dsn:
        """Its superuser's address."""
        return self._server.dsn()


_NAME = "trial"
_ROOM = 1.2  # times the size the database had


def verify_dump(
    reader: BackupReader,
    toolbox: Callable[[int], Toolbox],
    progress: Progress = silent,
    *,
    jobs: int = 1,
    directory: Path | None = None,
    binaries: Path | None = None,
    clock: Clock = SYSTEM,
) -> Verification:
    """Restore the dump in `reader`, `jobs` things at a time, on a scratch server in `directory`; what was found."""
    began = clock.monotonic()
    checked, rows, restored = ["sha256 of each file"], 0, 0.0
    problems, log = tuple[str, ...](), ""
    version = reader.manifest.server_version
    try:
        reader.check(progress)
        _require_space(reader, directory)
        with Scratch(reader.manifest.major, directory=directory, binaries=binaries) as scratch:
            with connect(scratch.dsn) as conn:
                version = server_version(conn)
                require_extensions(conn, reader.manifest, _NAME)
            start = clock.monotonic()
            tools = toolbox(reader.manifest.major)
            rows = load(scratch.dsn, reader, _NAME, tools, progress, jobs=jobs, any_collation=True).rows
            restored = clock.monotonic() - start
            checked += ["restore", "number of rows of each table", "sampled rows of each table"]
            if _amcheck(scratch.dsn.with_(database=_NAME), tools, progress):
                checked.append("amcheck")
    except BackupDamaged as error:
        problems = (DetailCode.IN_FILE(file=error.file, reason=error.problem),)
    except VerificationFailed as error:
        problems = error.problems
    except ToolFailed as error:
        problems, log = (error.brief,), error.stderr
    return Verification(
        reader.manifest.id,
        datetime.fromtimestamp(clock.time(), UTC).isoformat(timespec="seconds"),
        round(restored, 3),
        round(clock.monotonic() - began, 3),
        version,
        rows,
        tuple(checked),
        problems,
        log,
    )


def _amcheck(dsn: Dsn, tools: Toolbox, progress: Progress) -> bool:
    """Look at the structure of tables and indexes; False where the programs or the extension are not installed."""
    with connect(dsn) as conn:
        available = one(conn, "SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'")
    if not available or not tools.has("pg_amcheck"):
        return False
    progress("amcheck", 0, 0, "tables")
    tools.run("pg_amcheck", ["--install-missing", "--no-password", f"--database={_NAME}"], dsn=dsn)
    return True


def _require_space(reader: BackupReader, directory: Path | None) -> None:
    where = directory or Path(tempfile.gettempdir())
    free = shutil.disk_usage(where).free
    needed = int(reader.manifest.database.size * _ROOM) if reader.manifest.database else 0
    if free < needed:
        raise CannotVerify(reader.manifest.id, where, free=free >> 20, needed=needed >> 20)
