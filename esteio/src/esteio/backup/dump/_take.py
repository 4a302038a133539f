"""A database dumped: globals and content, and the digests of its tables at the very same moment.

Promises: one snapshot serves the dump and the counting, so the digests are those of what is in the archive, whatever
is written meanwhile. A dump that fails in any way raises, and its caller's folder stays without a manifest. The
content streams through in bounded memory: PostgreSQL's custom format uncompressed, so that zstd's threads do what
pg_dump would do in one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from esteio.backup._errors import ToolFailed
from esteio.backup._manifest import Database, Part, TableDigest
from esteio.backup._progress import Progress, silent
from esteio.backup._session import Connection, connect, one
from esteio.backup.dump._digests import digest_tables
from esteio.backup.dump._look import describe, extensions, is_superuser, log_position, needed_roles, server_version
from esteio.backup.packing import Readable
from esteio.backup.tools import Running, Toolbox
from esteio.postgres import Dsn

__all__ = ["Dumped", "Sink", "take"]

_LOCK_WAIT = "600s"  # how long a table that is locked for good, as by ALTER TABLE, is waited for


class Sink(Protocol):
    """Where files of a backup go."""

    def add(self, name: str, role: str, source: Readable) -> Part:
        """Pack `source` to its end as the file `name`."""
        ...


@dataclass(frozen=True, slots=True)
class Dumped:
    """What the manifest says of a dump."""

    database: Database
    roles: tuple[str, ...]
    extensions: dict[str, str]
    tables: dict[str, TableDigest]
    lsn: str
    server_version: str
    tool_version: str


def take(dsn: Dsn, toolbox: Callable[[int], Toolbox], sink: Sink, progress: Progress = silent) -> Dumped:
    """Dump the database `dsn` into `sink`; what was found.

    DatabaseUnavailable, DatabaseRefused, ToolMissing (no programs of the server's major), ToolFailed, or the sink's
    own errors.
    """
    with connect(dsn) as conn:
        version = server_version(conn)
        tools = toolbox(int(version.split(".")[0]))
        tool_version = tools.version("pg_dump")
        _globals(tools, dsn, sink, passwords=is_superuser(conn))
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            snapshot = str(one(conn, "SELECT pg_export_snapshot()"))
            database, roles, lsn = describe(conn), needed_roles(conn), log_position(conn)
            installed = extensions(conn)
            tables = _content_and_digests(tools, dsn, conn, snapshot, sink, progress)
    return Dumped(database, roles, installed, tables, lsn, version, tool_version)


def _globals(tools: Toolbox, dsn: Dsn, sink: Sink, *, passwords: bool) -> None:
    arguments = ["--globals-only", "--no-password", "--lock-wait-timeout=" + _LOCK_WAIT]
    if not passwords:
        arguments.append("--no-role-passwords")
    with tools.start("pg_dumpall", arguments, dsn=dsn, stdout=True) as running:
        sink.add("globals.sql", "globals", _Counted(running, "globals", silent))


def _content_and_digests(
    tools: Toolbox, dsn: Dsn, conn: Connection, snapshot: str, sink: Sink, progress: Progress
) -> dict[str, TableDigest]:
    arguments = [
        "--format=custom",
        "--compress=0",
        "--no-password",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={_LOCK_WAIT}",
    ]
    if tools.major >= 18:
        arguments.append("--statistics")  # a restored database plans well at once
    with ThreadPoolExecutor(1, "esteio digests") as pool:
        digests = pool.submit(digest_tables, conn)
        try:
            with tools.start("pg_dump", arguments, dsn=dsn, stdout=True) as running:
                sink.add("database.dump", "database", _Counted(running, "database", progress))
        except ToolFailed as error:
            if digests.done() and (cause := digests.exception()):
                raise cause from error  # it ended the transaction, and with it the snapshot under pg_dump
            conn.cancel_safe(timeout=5.0)
            raise
        except BaseException:
            conn.cancel_safe(timeout=5.0)
            raise
        return digests.result()


class _Counted:
    """A program's output that must not be empty, its bytes told to `progress`."""

    def __init__(self, running: Running, step: str, progress: Progress) -> None:
        self._running = running
        self._step = step
        self._progress = progress
        self._done = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._running.read(size)
        self._done += len(data)
        if not self._done:
            raise ToolFailed(self._running.name, 0, "it wrote nothing")
        self._progress(self._step, self._done, 0, "bytes")
        return data
