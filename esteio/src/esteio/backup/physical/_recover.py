"""A cluster brought back to a moment: in a new directory, started, looked at, and only then put in place.

Promises: before `swap` nothing that exists is touched, and `swap` is one rename (two where there is an old directory,
which is kept). Versions, space, keys and the reachable window are checked before anything is written. PostgreSQL itself
says when the log ends before the moment; then the new directory is removed and nothing has changed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

import psycopg

from esteio.backup._errors import BackupDamaged, RestoreRefused, VerificationFailed
from esteio.backup._folder import Folder
from esteio.backup._manifest import Manifest
from esteio.backup._progress import Progress, silent
from esteio.backup.documents import Returned
from esteio.backup.packing import Decryption, unpack
from esteio.backup.physical._base import FILES
from esteio.backup.physical._files import problems
from esteio.backup.physical._inventory import Wal
from esteio.backup.physical._plan import Plan
from esteio.backup.physical._shipping import FOLDER, PARTIAL, fill_up
from esteio.backup.physical._unpacking import unpack_tar
from esteio.backup.store import Stores
from esteio.backup.tools import Toolbox
from esteio.clock import SYSTEM, Clock
from esteio.postgres.embedded import Embedded, StartFailed

__all__ = ["Recovered", "recover", "require_stopped", "swap"]

Key = Callable[[bytes | None], Decryption | None]

_LAST = re.compile(r"last completed transaction was at log time ([0-9:. -]+\S*)")
_SPARE = 1.1
_OWN_FILES = ("postgresql.conf", "pg_hba.conf", "pg_ident.conf", "esteio.conf")


@dataclass(frozen=True, slots=True)
class Recovered:
    """A data directory that was started and looked at; `seconds` is all the time it took."""

    directory: Path
    plan: Plan
    seconds: float
    last_commit: datetime | None
    """When the last transaction in it was committed, where its log says so."""
    documents: Returned | None = None


def recover(
    plan: Plan,
    directory: Path,
    stores: Stores,
    toolbox: Toolbox,
    key: Key,
    *,
    progress: Progress = silent,
    start_timeout: float = 3600.0,
    clock: Clock = SYSTEM,
) -> Recovered:
    """Make `directory` from `plan` and leave it stopped, ready to be swapped in.

    RestoreRefused before anything is written, or when the log turns out to end too early; BackupDamaged,
    VerificationFailed and whatever the stores raise on the way. In every such case `directory` is removed again.
    """
    began = clock.monotonic()
    _refuse_early(plan, directory, toolbox)
    try:
        _unpack_chain(plan, directory, stores, toolbox, key, progress)
        opener = cache(partial(_opener, stores, key))
        for number, wal in enumerate(plan.log):
            progress("log", number, len(plan.log), "segments")
            _place(wal, directory / "pg_wal" / wal.segment.name, stores, opener)
        last = _roll_forward(plan, directory, toolbox, start_timeout)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return Recovered(directory, plan, clock.monotonic() - began, last)


def swap(new: Path, data_dir: Path, *, now: float) -> Path | None:
    """Put `new` in the place of `data_dir`, whose server is stopped; where the old one is now, None without one.

    RestoreRefused while a server runs on `data_dir`. The old directory keeps its name with `.before-` and the time.
    """
    data_dir = data_dir.resolve()
    require_stopped(data_dir)
    kept = None
    if data_dir.exists():
        kept = data_dir.with_name(f"{data_dir.name}.before-{datetime.fromtimestamp(now, UTC):%Y%m%d_%H%M%S}")
        data_dir.rename(kept)
    try:
        new.rename(data_dir)
    except OSError:
        if kept is not None:
            kept.rename(data_dir)
        raise
    handle = os.open(data_dir.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return kept


def require_stopped(data_dir: Path) -> None:
    """RestoreRefused while a server runs on `data_dir`."""
    if _runs(data_dir.resolve()):
        raise RestoreRefused(str(data_dir), "a server runs on it", "stop the service first")


# Before


def _refuse_early(plan: Plan, directory: Path, toolbox: Toolbox) -> None:
    name = str(directory)
    if toolbox.major != plan.base.major:
        reason = f"the backup is of PostgreSQL {plan.base.major}, the programs are of {toolbox.major}"
        raise RestoreRefused(name, reason, f"install PostgreSQL {plan.base.major}; a dump can change the major")
    if len(plan.chain) > 1:
        toolbox.version("pg_combinebackup")
    if directory.exists():
        raise RestoreRefused(name, "it exists", "name a new directory")
    free, needed = shutil.disk_usage(directory.parent).free, int(plan.size * _SPARE)
    if free < needed:
        raise RestoreRefused(name, f"{needed >> 20} MiB are needed, {free >> 20} are free", "make room")


# Unpacking


def _unpack_chain(plan: Plan, directory: Path, stores: Stores, toolbox: Toolbox, key: Key, progress: Progress) -> None:
    pieces = directory.with_name(directory.name + ".parts")
    if len(plan.chain) == 1:
        _unpack_one(plan.base, directory, stores, key)
        return
    pieces.mkdir(mode=0o700)
    try:
        for number, backup in enumerate(plan.chain):
            progress("unpack", number, len(plan.chain), "backups")
            _unpack_one(backup, pieces / backup.id, stores, key)
        given = [str(pieces / backup.id) for backup in plan.chain]
        toolbox.run("pg_combinebackup", ["--manifest-checksums=SHA256", f"--output={directory}", *given])
        _check(directory, (directory / FILES).read_bytes(), plan.base)
    finally:
        shutil.rmtree(pieces, ignore_errors=True)


def _unpack_one(backup: Manifest, directory: Path, stores: Stores, key: Key) -> None:
    folder = Folder(stores, backup, key)
    unpack_tar(folder, backup.part("base"), directory)
    _check(directory, folder.text("files").encode(), backup)


def _check(directory: Path, files: bytes, backup: Manifest) -> None:
    if wrong := problems(directory, files):
        raise VerificationFailed(backup.id, tuple(wrong))


def _place(wal: Wal, target: Path, stores: Stores, opener: Callable[[], Decryption | None]) -> None:
    if wal.path is None or not _copied(wal.path, target):
        key = wal.key or _shipped(wal, stores)
        with stores.get(key) as source, target.open("wb") as sink:
            unpack(source, sink, opener() if key.endswith(".age") else None)
    if wal.partial:
        fill_up(target, wal.segment.size)
    if target.stat().st_size not in {wal.segment.size, 0 if wal.partial else wal.segment.size}:
        raise BackupDamaged("the log", wal.segment.name, f"{target.stat().st_size} bytes, not {wal.segment.size}")


def _copied(path: Path, target: Path) -> bool:
    """Whether a received file was still there; meanwhile it may have been completed, then shipped."""
    for each in (path, path.with_name(path.name.removesuffix(PARTIAL))):
        with suppress(FileNotFoundError):
            shutil.copyfile(each, target)
            return True
    return False


def _shipped(wal: Wal, stores: Stores) -> str:
    name = wal.segment.name
    for key in stores.list(f"{FOLDER}/{name[:8]}"):
        if key.rpartition("/")[2].startswith(f"{name}.zst"):
            return key
    raise BackupDamaged("the log", name, "it is missing")


def _opener(stores: Stores, key: Key) -> Decryption | None:
    """What opens the log: `key` alone, or with the key files that lie beside the log."""
    found = []
    for name in stores.list("wal/keys"):
        with stores.get(name) as source:
            found.append(key(source.read()))
    if not found:
        return key(None)
    return Decryption(tuple(identity for each in found if each for identity in each.identities))


# Replaying


def _roll_forward(plan: Plan, directory: Path, toolbox: Toolbox, start_timeout: float) -> datetime | None:
    """Let PostgreSQL replay the log, look at what came out, stop it."""
    (directory / "recovery.signal").touch(mode=0o600)
    settings = {
        "restore_command": "false",  # all of the log is in pg_wal already
        "recovery_target_timeline": "current",
        "recovery_target_action": "promote",
        "hot_standby": "off",  # it answers when it is done, and a smaller max_connections does not matter
        "archive_mode": "off",
        "logging_collector": "off",
        "fsync": "on",
        "shared_preload_libraries": "",
    }
    if plan.target is not None and plan.log:
        settings["recovery_target_time"] = plan.target.isoformat(" ")
    server = Embedded(
        directory, major=toolbox.major, binaries=toolbox.directory, settings=settings, start_timeout=start_timeout
    )
    own = {name: _content(directory / name) for name in _OWN_FILES}
    (directory / "postgresql.conf").touch(mode=0o600)  # elsewhere where Debian made the cluster
    _hand_over(server, directory)
    try:
        server.start()
        _look(server, plan.base)
        return _last_commit((server.data_dir / "console.log").read_text(errors="replace"))
    except StartFailed as error:
        raise _explained(plan, directory, error) from error
    finally:
        server.stop()
        (directory / "recovery.signal").unlink(missing_ok=True)
        for name, content in own.items():
            _put_back(directory / name, content, server)


def _hand_over(server: Embedded, directory: Path) -> None:
    for path in (directory, *directory.rglob("*")):
        server.account.own(path)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _put_back(path: Path, content: bytes | None, server: Embedded) -> None:
    """As it was in the backup: the settings of the trial, and who could connect to it, are no part of that."""
    path.unlink(missing_ok=True)
    if content is not None:
        path.touch(mode=0o600)
        path.write_bytes(content)
        server.account.own(path)


def _look(server: Embedded, base: Manifest) -> None:
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
        found = conn.execute("SELECT system_identifier::text FROM pg_catalog.pg_control_system()").fetchone()
        names = conn.execute("SELECT datname FROM pg_catalog.pg_database WHERE datallowconn").fetchall()
    if found is None or found[0] != base.details["system_identifier"]:
        raise VerificationFailed(base.id, (f"it is cluster {found and found[0]}, another one",))
    for (name,) in names:
        with psycopg.connect(server.dsn(name).conninfo, autocommit=True) as conn:
            conn.execute("SELECT count(*) FROM pg_catalog.pg_class").fetchone()


def _explained(plan: Plan, directory: Path, error: StartFailed) -> Exception:
    if "recovery ended before configured recovery target" not in error.log:
        return error
    last = _last_commit(error.log) or plan.window.begins
    reason = f"{plan.target and plan.target.isoformat(' ')} can't be reached, the log ends before it"
    advice = f"what can be reached is {plan.window.begins.isoformat(' ', 'seconds')} to {last.isoformat(' ')}"
    return RestoreRefused(str(directory), reason, advice)


def _last_commit(log: str) -> datetime | None:
    said = _LAST.findall(log)
    with suppress(ValueError, IndexError):
        return datetime.fromisoformat(said[-1].strip().removesuffix("UTC").strip()).replace(tzinfo=UTC)
    return None


def _runs(data_dir: Path) -> bool:
    try:
        pid = int((data_dir / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError) as error:
        return isinstance(error, PermissionError)
    return True
