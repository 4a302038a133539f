"""The restore of a dump from first check to last rename.

Promises: the database of that name is untouched until the new one is complete and compared; an error or an interrupt
at any moment leaves it as it was and removes the new one. The old database stays beside it under a dated name. Its
documents, where it has some, change places just before it does, and back when it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

from esteio.backup._errors import NotConfirmed, RestoreRefused, RestoreUnclear
from esteio.backup._folder import Folder
from esteio.backup._progress import Progress, silent
from esteio.backup._session import connect
from esteio.backup.documents import Returned, Untouched
from esteio.backup.dump import load
from esteio.backup.dump._create import drop_database
from esteio.backup.restore._checks import database_exists, require_possible
from esteio.backup.restore._swap import swap
from esteio.backup.tools import Toolbox
from esteio.clock import SYSTEM, Clock
from esteio.postgres import DatabaseUnavailable, Dsn

__all__ = ["Confirm", "Restored", "restore_in_place", "restore_into"]

_LONGEST = 63  # bytes of a name in PostgreSQL
_SERVER_PATIENCE = 120.0  # seconds for a server that was lost to come back
_EVERY = 0.5
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


def restore_into(
    server: Dsn,
    folder: Folder,
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
    began = clock.monotonic()
    admin = _admin(server, name)
    if not 0 < len(name.encode()) <= _LONGEST:
        raise RestoreRefused(name, f"the name has {len(name.encode())} bytes", f"give it 1 to {_LONGEST}")
    with connect(admin) as conn:
        if database_exists(conn, name):
            raise RestoreRefused(name, "it exists", "choose another name, or restore in place")
        require_possible(conn, folder.manifest, name)
        major = conn.info.server_version // 10000
    folder.check(progress)
    with documents or Untouched() as beside:
        beside.fetch(progress)
        rows = load(admin, folder, name, toolbox(major), progress, jobs=jobs)
        try:
            beside.swap()
        except BaseException:
            drop_database(admin, name)
            raise
        beside.settle()
    return Restored(folder.manifest.id, name, None, rows, clock.monotonic() - began, beside.returned)


def restore_in_place(
    server: Dsn,
    folder: Folder,
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
    name = _named(server, folder)
    admin = _admin(server, name)
    with connect(admin) as conn:
        there = database_exists(conn, name)
        require_possible(conn, folder.manifest, name)
        tools = toolbox(conn.info.server_version // 10000)
    if not confirm(name):
        raise NotConfirmed(name)
    folder.check(progress)  # a damaged one is to be found out while the service still works
    with quiet or nullcontext():
        patience = 0.0 if quiet is None else _PATIENCE
        return _replace(name, admin, folder, tools, documents or Untouched(), progress, jobs, there, patience, clock)


def _replace(
    name: str,
    admin: Dsn,
    folder: Folder,
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
    new, kept = (_beside(name, f"_restoring_{stamp}"), _beside(name, f"_before_{stamp}")) if there else (name, None)
    rows = None
    with documents as beside:
        beside.fetch(progress)
        try:
            rows = load(admin, folder, new, tools, progress, jobs=jobs)
            beside.swap()
            if kept is not None:
                progress("swap", 0, 0, "")
                swap(admin, new, name, kept, patience=patience, clock=clock)
        except BaseException as error:
            if kept is not None and rows is not None and _settled(beside, admin, new, clock):
                if isinstance(error, DatabaseUnavailable):
                    return Restored(folder.manifest.id, name, kept, rows, clock.monotonic() - began, beside.returned)
                raise  # an interrupt that came too late
            if kept is not None or rows is not None:
                drop_database(admin, new)
            raise
        beside.settle()
    return Restored(folder.manifest.id, name, kept, rows, clock.monotonic() - began, beside.returned)


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
            clock.sleep(_EVERY)


def _named(server: Dsn, folder: Folder) -> str:
    like = folder.manifest.database
    assert like is not None, "a dump has a database"
    return server.database or like.name


def _admin(server: Dsn, name: str) -> Dsn:
    """An address on the same server that is not the database to be replaced."""
    return server.with_(database="template1" if name == "postgres" else "postgres")


def _beside(name: str, suffix: str) -> str:
    """`name` with `suffix`, cut where PostgreSQL would cut it, but never within a letter."""
    return name.encode()[: _LONGEST - len(suffix)].decode(errors="ignore") + suffix
