"""A database dumped: globals and content, and the digests of its tables at the very same moment.

Promises: one snapshot serves every archive and the counting, so the digests are those of what is in the archives,
whatever is written meanwhile. A dump that fails in any way raises, and its caller's folder stays without a manifest.
The content streams through in bounded memory, several archives at the same time: PostgreSQL's custom format
uncompressed, because zstd does in a tenth of the time what pg_dump would do. A small database is one archive, a larger
one its schema and its data, the tables spread over as many archives as are dumped at the same time. Each is read by
pg_restore alone.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any, Protocol

import psycopg
from psycopg import sql

from esteio.backup._details import DetailCode
from esteio.backup._errors import DatabaseRefused, ToolFailed
from esteio.backup._manifest import Database, Part, TableDigest
from esteio.backup._progress import Progress, silent
from esteio.backup._session import Connection, connect, one
from esteio.backup.dump._globals import Setting, without_secrets, without_values
from esteio.backup.dump._introspect import (
    Table,
    describe,
    digest_tables,
    extensions,
    is_superuser,
    large_objects_size,
    list_tables,
    log_position,
    needed_roles,
    roles_with_password,
    server_version,
)
from esteio.backup.dump._parallel import Counting, Halt, run_parallel
from esteio.backup.dump._toc import WithoutProperties
from esteio.backup.packing import Readable
from esteio.backup.tools import Running, Toolbox
from esteio.postgres import Dsn

__all__ = ["DATA", "SCHEMA", "SETTINGS", "SMALL", "WHOLE", "Archive", "Dumped", "Sink", "archives", "take"]

WHOLE, SCHEMA, DATA = "database", "schema", "data"
"""Roles of the files: everything; all but the rows; rows."""
SETTINGS = "settings"
"""The role of the file, always encrypted, with the database's settings that may be secrets."""
SMALL = 32 * 1024 * 1024  # bytes of content below which one archive does
_LITTLE = 1024 * 1024  # bytes of a table that is not worth a name on a command line
_NAMES = 24_000  # characters of tables' names on one command line, which has 32 kB on Windows


@dataclass(frozen=True, slots=True)
class Archive:
    """One run of pg_dump: the file's name, its role, and what is asked for."""

    name: str
    role: str
    arguments: tuple[str, ...] = ()


def archives(tables: Sequence[Table], objects: int, jobs: int, major: int) -> list[Archive]:
    """Those of a database with `tables` and `objects` bytes of large objects, `jobs` of them with data."""
    # A restored database plans well at once; before 18 it has to be analysed.
    statistics = ("--statistics",) if major >= 18 else ()
    if objects + sum(table.size for table in tables) < SMALL:
        return [Archive("database.dump", WHOLE, statistics)]
    named = _spread(tables, objects, jobs)
    # The first has what no other names: small tables, sequences, large objects, what belongs to extensions.
    apart = [table for group in named for table in group]
    rest = [("--section=data", *statistics, *_each("--exclude-table-data", apart))]
    rest += [("--section=data", "--strict-names", *_each("--table", group)) for group in named]
    return [
        Archive("schema.dump", SCHEMA, ("--section=pre-data", "--section=post-data", *statistics)),
        *(Archive(f"data_{number}.dump", DATA, each) for number, each in enumerate(rest, 1)),
    ]


def _spread(tables: Sequence[Table], objects: int, jobs: int) -> list[list[Table]]:
    """The tables of every stream but the first: the largest is dealt first, always to who has least."""
    largest = _worth_naming(tables)
    groups: list[list[Table]] = [[] for _ in range(jobs)]
    loads = [objects + sum(table.size for table in tables) - sum(table.size for table in largest)] + [0] * (jobs - 1)
    for table in largest:
        least = loads.index(min(loads))
        loads[least] += table.size
        groups[least].append(table)
    return [group for group in groups[1:] if group]


def _worth_naming(tables: Sequence[Table]) -> list[Table]:
    """The largest first, as many as fit; not those that pg_dump might read as another name, or that are too small."""
    smallest = max(_LITTLE, sum(table.size for table in tables) // 2000)
    # It takes its arguments for the encoding of the database, which need not be that of ours.
    plain = [table for table in tables if table.size > smallest and (table.schema + table.relation).isascii()]
    largest = sorted(plain, key=lambda table: -table.size)
    lengths = accumulate(len(_quoted(table.relation)) + 1 for table in largest)
    return [table for table, length in zip(largest, lengths, strict=True) if length <= _NAMES]


def _each(option: str, tables: Sequence[Table]) -> list[str]:
    """`option` for all tables of a schema at once: for each pattern pg_dump asks the server anew."""
    schemas: dict[str, list[str]] = {}
    for table in tables:
        schemas.setdefault(table.schema, []).append(_quoted(table.relation))
    return [f"{option}={_quoted(schema)}.{'|'.join(names)}" for schema, names in schemas.items()]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


_CHUNK = 1 << 20
_LOCK_WAIT = "600s"  # how long a table that is locked for good, as by ALTER TABLE, is waited for
_LOCK_WAIT_AGAIN = "60s"  # for pg_dump, once we hold the lock: who waits for us to let go of it holds pg_dump up


class Sink(Protocol):
    """Where files of a backup go, several at the same time."""

    def add(self, name: str, role: str, source: Readable, beside: int = 1) -> Part:
        """Pack `source` to its end as the file `name`, one of `beside` that are packed at the same time."""
        ...


@dataclass(frozen=True, slots=True)
class Dumped:
    """What the manifest says of a dump; `left_out` names what a plain one must not hold."""

    database: Database
    left_out: Mapping[str, Any]
    roles: tuple[str, ...]
    extensions: dict[str, str]
    tables: dict[str, TableDigest]
    lsn: str
    server_version: str
    tool_version: str


def take(
    dsn: Dsn,
    toolbox: Callable[[int], Toolbox],
    sink: Sink,
    progress: Progress = silent,
    *,
    jobs: int = 1,
    secrets: bool = False,
) -> Dumped:
    """Dump the database `dsn` into `sink`, up to `jobs` streams of its rows at the same time; what was found.

    Passwords of roles, and settings that may be secrets, are only written with `secrets`, where the sink encrypts.

    DatabaseUnavailable, DatabaseRefused, ToolMissing (no programs of the server's major), ToolFailed, or the sink's
    own errors.
    """
    with connect(dsn) as conn, _patient(conn, dsn):
        version = server_version(conn)
        tools = toolbox(int(version.split(".")[0]))
        tool_version = tools.version("pg_dump")
        tables, superuser = list_tables(conn), is_superuser(conn)
        with _moment(conn, tables) as snapshot:
            database, roles, lsn = describe(conn), needed_roles(conn), log_position(conn)
            installed = extensions(conn)
            planned = archives(tables, large_objects_size(conn), jobs, tools.major)
            streams = sum(archive.role == DATA for archive in planned) or 1
            told = Counting(progress, "database")
            calls: list[Callable[[Halt], Any]] = [partial(_digests, conn)]
            database, hidden = _split(database)
            scrub = bool(hidden) and not secrets
            calls += [partial(_dump, tools, dsn, sink, snapshot, told, streams, scrub, archive) for archive in planned]
            if hidden and secrets:
                sink.add("settings.json", SETTINGS, io.BytesIO(json.dumps(hidden, ensure_ascii=False).encode()))
            passwords = roles_with_password(conn) if superuser else ()
            write_globals = partial(_globals, tools, dsn, sink, superuser and secrets, secrets)
            digests, *_, of_roles = run_parallel([*calls, write_globals])
    left_out = {} if secrets else {"passwords": passwords, "settings": _named(hidden), "role_settings": of_roles}
    left_out = {what: left for what, left in left_out.items() if left}
    return Dumped(database, left_out, roles, installed, digests, lsn, version, tool_version)


def _split(database: Database) -> tuple[Database, tuple[Setting, ...]]:
    """What of the database anybody may read who can read the manifest, and the rest of its settings."""
    kept, hidden = without_values(database.settings)
    return replace(database, settings=kept), hidden


def _named(hidden: Sequence[Setting]) -> list[Setting]:
    return [(role, setting.partition("=")[0]) for role, setting in hidden]


@contextmanager
def _patient(conn: Connection, dsn: Dsn) -> Iterator[None]:
    """Wait for locks, but not for ever."""
    conn.execute(sql.SQL("SET lock_timeout = {}").format(_LOCK_WAIT))
    try:
        yield
    except psycopg.errors.LockNotAvailable as error:
        reason = DetailCode.TABLE_LOCKED(seconds=_LOCK_WAIT)
        raise DatabaseRefused(dsn.masked, reason) from error


@contextmanager
def _moment(conn: Connection, tables: Sequence[Table]) -> Iterator[str]:
    """A snapshot that others can take; the tables are locked before it, so that none is rewritten under it."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if tables:
            names = sql.SQL(", ").join(sql.SQL("ONLY {}").format(sql.Identifier(t.schema, t.relation)) for t in tables)
            conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))
        yield str(one(conn, "SELECT pg_export_snapshot()"))


def _digests(conn: Connection, halt: Halt) -> dict[str, TableDigest]:
    def cancel() -> None:
        with suppress(psycopg.Error):  # a server that is away has ended them
            conn.cancel_safe(timeout=5.0)

    with halt.ends(cancel):
        return digest_tables(conn)


def _globals(
    tools: Toolbox, dsn: Dsn, sink: Sink, passwords: bool, secrets: bool, halt: Halt
) -> tuple[tuple[str, str], ...]:
    """Write the roles; the settings of theirs that were left out."""
    arguments = ["--globals-only", "--no-password", "--lock-wait-timeout=" + _LOCK_WAIT]
    if not passwords:
        arguments.append("--no-role-passwords")
    with tools.start("pg_dumpall", arguments, dsn=dsn, stdout=True) as running, halt.ends(running.ask_to_end):
        content = _Content(running)
        text = b"".join(iter(lambda: content.read(_CHUNK), b"")).decode()  # some hundred bytes for each role
    try:
        kept, left = (text, ()) if secrets else without_secrets(text)
    except ValueError as error:
        raise ToolFailed("pg_dumpall", 0, str(error)) from error
    sink.add("globals.sql", "globals", io.BytesIO(kept.encode()))
    return left


def _dump(
    tools: Toolbox,
    dsn: Dsn,
    sink: Sink,
    snapshot: str,
    told: Counting,
    streams: int,
    scrub: bool,
    archive: Archive,
    halt: Halt,
) -> None:
    arguments = [
        "--format=custom",
        "--compress=0",
        "--no-password",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={_LOCK_WAIT_AGAIN}",
        *archive.arguments,
    ]
    with tools.start("pg_dump", arguments, dsn=dsn, stdout=True) as running, halt.ends(running.ask_to_end):
        content = _Content(running, told)
        sink.add(archive.name, archive.role, WithoutProperties(content) if scrub else content, streams)


class _Content:
    """A program's output that must not be empty."""

    def __init__(self, running: Running, told: Counting | None = None) -> None:
        self._running = running
        self._told = told
        self._begun = False

    def read(self, size: int = -1, /) -> bytes:
        data = self._running.read(size)
        self._begun = self._begun or bool(data)
        if not self._begun:
            raise ToolFailed(self._running.name, 0, DetailCode.WROTE_NOTHING())
        if self._told:
            self._told.more(len(data))
        return data
