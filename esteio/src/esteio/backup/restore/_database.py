"""The restore of a dump from first check to last rename.

Promises: the database of that name is untouched, or absent, until the new one is complete and compared; an error or an
interrupt at any moment leaves it so and removes the new one, which is called NAME_restoring_DATE until then. The old
database stays beside it under a dated name. The two change places in one transaction: whoever looks sees the old one or
the new one under the name, never neither. Its documents, where it has some, change places just before it does, and back
when it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from esteio.backup._catalogue import Entry
from esteio.backup._details import DetailCode
from esteio.backup._errors import NotConfirmed, RestoreRefused, RestoreUnclear
from esteio.backup._files import BackupReader
from esteio.backup._progress import Progress, silent
from esteio.backup._session import Connection, connect, one
from esteio.backup.documents import Returned, Untouched
from esteio.backup.dump import LeftOut, Loaded, load
from esteio.backup.dump._load import drop_database
from esteio.backup.restore._checks import database_exists, require_possible
from esteio.backup.tools import Toolbox
from esteio.clock import SYSTEM, Clock
from esteio.postgres import DatabaseUnavailable, Dsn

__all__ = ["Confirm", "RestorePlan", "Restored", "plan_restore", "restore_in_place", "restore_into", "swap"]


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """Of `backup`, of `kind`, begun at `began`; sizes in bytes, durations in seconds."""

    backup: str
    kind: str
    began: datetime
    size: int
    """Of the content, without the documents."""
    documents: int
    seconds: float | None
    """How long its last verification took to restore; None when none was held."""
    lost: float | None
    """From the moment it brings back until now: what was written since is not in it. None when that is not known."""
    passed_over: tuple[str, ...]
    """Newer backups of its kind that are not used: they failed their verification, or lie in the future."""


def plan_restore(entry: Entry, entries: Sequence[Entry], now: datetime, until: datetime | None = None) -> RestorePlan:
    """For `entry` among `entries`, brought to the moment `until` (None: when it was begun)."""
    manifest = entry.manifest
    assert manifest is not None
    newer = [
        each for each in entries if each.manifest and each.manifest.kind == manifest.kind and each.began > entry.began
    ]
    return RestorePlan(
        entry.id,
        manifest.kind,
        entry.began,
        manifest.size,
        int(manifest.details.get("documents", {}).get("files", 0)),
        entry.verification.restore_seconds if entry.verified and entry.verification else None,
        (now - (until or entry.began)).total_seconds(),
        tuple(each.id for each in newer),
    )


_TRIES = 6  # PostgreSQL itself waits 5 s in each for the others to leave
_POLL = 0.1
# Only a superuser may end an autovacuum worker; the rename ends those by itself.
_CUT_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = ANY (%s) AND pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'"""
_AT_WORK = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = %s AND state <> 'idle' AND pid <> pg_backend_pid())"""


def swap(admin: Dsn, new: str, name: str, kept: str | None, *, patience: float = 0.0, clock: Clock = SYSTEM) -> None:
    """Rename database `name` to `kept` and `new` to `name`; RestoreRefused when somebody does not let go of them.

    Who is at work in `name` may end that within `patience` seconds. Without `kept` there is no `name` yet.
    """
    with connect(admin) as renaming, connect(admin) as cutting, ThreadPoolExecutor(1, "esteio swap") as pool:
        deadline = clock.monotonic() + patience
        while clock.monotonic() < deadline and one(cutting, _AT_WORK, [name]):
            clock.sleep(_POLL)
        for _ in range(_TRIES):
            cutting.execute(_CUT_OFF, [[new, name]])
            attempt = pool.submit(_rename, renaming, new, name, kept)
            # Who slipped in before the rename locked the name is in its way until it is cut off too.
            while not _ended(attempt):
                cutting.execute(_CUT_OFF, [[new, name]])
            if attempt.result():
                return
    raise RestoreRefused(name, DetailCode.CONNECTIONS_KEEP_COMING(), DetailCode.STOP_PROGRAMS())


def _rename(conn: Connection, new: str, name: str, kept: str | None) -> bool:
    with suppress(psycopg.errors.ObjectInUse), conn.transaction():
        for before, after in ((name, kept), (new, name)):
            if after is None:
                continue
            conn.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(before), sql.Identifier(after))
            )
        return True
    return False


def _ended(attempt: Future[bool]) -> bool:
    try:
        attempt.exception(timeout=_POLL)
    except NotYet:
        return False
    return True


_LONGEST = 63  # bytes of a name in PostgreSQL
_SERVER_PATIENCE = 120.0  # seconds for a server that was lost to come back
_LOOK_EVERY = 0.5
_PATIENCE = 5.0  # seconds for what is under way when the service has become quiet

Confirm = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: `kept` is the name of the database that was there before, if one was."""

    backup: str
    database: str
    kept: str | None
    rows: int
    seconds: float
    documents: Returned | None = None
    left_out: LeftOut | None = None
    """What a plain backup does not hold, and is to be set by hand; None when nothing."""


def restore_into(
    server: Dsn,
    reader: BackupReader,
    name: str,
    toolbox: Callable[[int], Toolbox],
    progress: Progress = silent,
    *,
    jobs: int = 1,
    documents: Untouched | None = None,
    clock: Clock = SYSTEM,
) -> Restored:
    """Restore as the new database `name` on the server of `server`; RestoreRefused when it exists.

    `documents` are brought where they are to lie, or not at all when anything fails.
    """
    admin = _admin(server, name)
    if not 0 < len(name.encode()) <= _LONGEST:
        reason = DetailCode.NAME_LENGTH(length=len(name.encode()))
        raise RestoreRefused(name, reason, DetailCode.NAME_LIMIT(limit=_LONGEST))
    with connect(admin) as conn:
        if database_exists(conn, name):
            raise RestoreRefused(name, DetailCode.EXISTS(), DetailCode.CHOOSE_OTHER_NAME())
        require_possible(conn, reader.manifest, name)
        tools = toolbox(conn.info.server_version // 10000)
    reader.check(progress)
    return _replace(name, admin, reader, tools, documents or Untouched(), progress, jobs, False, 0.0, clock)


def restore_in_place(
    server: Dsn,
    reader: BackupReader,
    toolbox: Callable[[int], Toolbox],
    confirm: Confirm,
    progress: Progress = silent,
    *,
    jobs: int = 1,
    documents: Untouched | None = None,
    quiet: AbstractContextManager[object] | None = None,
    clock: Clock = SYSTEM,
) -> Restored:
    """Put the backup in the place of the database that `server` names; the old one is kept beside it.

    `confirm` is asked with the database's name before anything is made; NotConfirmed when it says no. Everything after
    that is done within `quiet`, which keeps the service from writing what would be lost. `documents` take their place
    together with the database.
    """
    name = _named(server, reader)
    admin = _admin(server, name)
    with connect(admin) as conn:
        there = database_exists(conn, name)
        require_possible(conn, reader.manifest, name)
        tools = toolbox(conn.info.server_version // 10000)
    if not confirm(name):
        raise NotConfirmed(name)
    reader.check(progress)  # a damaged one is to be found out while the service still works
    with quiet or nullcontext():
        patience = 0.0 if quiet is None else _PATIENCE
        return _replace(name, admin, reader, tools, documents or Untouched(), progress, jobs, there, patience, clock)


def _replace(
    name: str,
    admin: Dsn,
    reader: BackupReader,
    tools: Toolbox,
    documents: Untouched,
    progress: Progress,
    jobs: int,
    there: bool,
    patience: float,
    clock: Clock,
) -> Restored:
    began = clock.monotonic()
    stamp = f"{datetime.fromtimestamp(clock.time(), UTC):%Y%m%d_%H%M%S}"
    # Never under its own name before it is whole: a server that is lost meanwhile keeps what was made until then.
    new, kept = _beside(name, f"_restoring_{stamp}"), _beside(name, f"_before_{stamp}") if there else None
    loaded = None
    with documents as beside:
        beside.fetch(progress)
        try:
            loaded = load(admin, reader, new, tools, progress, jobs=jobs, replaces=name if there else None)
            beside.swap()
            if kept is not None:
                progress("swap", 0, 0, "")
            swap(admin, new, name, kept, patience=patience, clock=clock)
        except BaseException as error:
            if loaded is not None and _settled(beside, admin, new, clock):
                if isinstance(error, DatabaseUnavailable):
                    return _restored(reader, name, kept, loaded, beside, clock.monotonic() - began)
                raise  # an interrupt that came too late
            drop_database(admin, new)
            raise
        beside.settle()
    return _restored(reader, name, kept, loaded, beside, clock.monotonic() - began)


def _restored(
    reader: BackupReader, name: str, kept: str | None, loaded: Loaded, beside: Untouched, seconds: float
) -> Restored:
    return Restored(reader.manifest.id, name, kept, loaded.rows, seconds, beside.returned, loaded.left_out)


def _settled(beside: Untouched, admin: Dsn, new: str, clock: Clock) -> bool:
    """Whether the database has taken its place; then, or while that is not known, the documents keep theirs."""
    try:
        taken = _took_its_place(admin, new, clock)
    except RestoreUnclear:
        beside.settle()
        raise
    if taken:
        beside.settle()
    return taken


def _took_its_place(admin: Dsn, new: str, clock: Clock) -> bool:
    """Whether `new` has another name now. A server that was lost at COMMIT is waited for: only it knows.

    RestoreUnclear when it does not come back; then nothing is put back either.
    """
    deadline = clock.monotonic() + _SERVER_PATIENCE
    while True:
        try:
            with connect(admin) as conn:
                return not database_exists(conn, new)
        except DatabaseUnavailable as error:
            if clock.monotonic() >= deadline:
                raise RestoreUnclear(new) from error
            clock.sleep(_LOOK_EVERY)


def _named(server: Dsn, reader: BackupReader) -> str:
    like = reader.manifest.database
    assert like is not None, "a dump has a database"
    return server.database or like.name


def _admin(server: Dsn, name: str) -> Dsn:
    """An address on the same server that is not the database to be replaced."""
    return server.with_(database="template1" if name == "postgres" else "postgres")


def _beside(name: str, suffix: str) -> str:
    """`name` with `suffix`, cut where PostgreSQL would cut it, but never within a letter."""
    return name.encode()[: _LONGEST - len(suffix)].decode(errors="ignore") + suffix
