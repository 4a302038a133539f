"""The log replayed over a restored directory, by PostgreSQL itself.

Promises: it answers, it is the cluster it should be, and each of its databases lets itself be opened; it is left stopped
with the settings it had. PostgreSQL says when the log ends before the moment: RestoreRefused with what can be
reached.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from esteio.backup._errors import RestoreRefused, VerificationFailed
from esteio.backup._manifest import Manifest
from esteio.backup._session import connect, one
from esteio.backup.physical._plan import Plan
from esteio.backup.tools import Toolbox
from esteio.postgres.embedded import Embedded, StartFailed
from esteio.postgres.embedded._hold import hold_file
from esteio.system import sync_directory

__all__ = ["databases", "replay"]

_LAST = re.compile(r"last completed transaction was at log time ([0-9:. -]+\S*)")
_OWN_FILES = ("postgresql.conf", "pg_hba.conf", "pg_ident.conf", "esteio.conf")

Look = Callable[[Embedded], None]


def replay(
    plan: Plan, directory: Path, toolbox: Toolbox, *, start_timeout: float, durable: bool, look: Look | None = None
) -> datetime | None:
    """Replay the log in `directory`; when the last transaction in it was committed, None where its log does not say.

    `look` is called with the server while it runs. StartFailed when it does not start within `start_timeout` seconds,
    VerificationFailed when it is not what it should be, RestoreRefused when the log ends before the plan's moment.
    """
    server = _server(plan, directory, toolbox, start_timeout, durable)
    (directory / "recovery.signal").touch(mode=0o600)
    own = {name: _content(directory / name) for name in _OWN_FILES}
    (directory / "postgresql.conf").touch(mode=0o600)  # elsewhere where Debian made the cluster
    _hand_over(server, directory)
    try:
        server.start()
        _require_same(server, plan.base)
        if look is not None:
            look(server)
        return _last_commit((server.data_dir / "console.log").read_text(errors="replace"))
    except StartFailed as error:
        raise _explained(plan, directory, error) from error
    finally:
        server.stop()
        hold_file(directory).unlink(missing_ok=True)
        (directory / "recovery.signal").unlink(missing_ok=True)
        for name, content in own.items():
            _put_back(directory / name, content, server)
        sync_directory(directory)


def databases(server: Embedded) -> list[str]:
    """The names of those that can be connected to."""
    with connect(server.dsn()) as conn:
        return [name for (name,) in conn.execute("SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1")]


def _server(plan: Plan, directory: Path, toolbox: Toolbox, start_timeout: float, durable: bool) -> Embedded:
    settings = {
        "restore_command": "false",  # all of the log is in pg_wal already
        "recovery_target_timeline": str(plan.branch.timeline) if plan.branch else "current",
        "recovery_target_action": "promote",
        "hot_standby": "off",  # it answers when it is done, and a smaller max_connections does not matter
        "archive_mode": "off",
        "autovacuum": "off",
        "logging_collector": "off",
        "fsync": "on" if durable else "off",
        "shared_preload_libraries": "",
    }
    if plan.target is not None and plan.log:
        settings["recovery_target_time"] = plan.target.isoformat(" ")
    return Embedded(
        directory,
        major=toolbox.major,
        binaries=toolbox.directory,
        settings=settings,
        start_timeout=start_timeout,
        unresponsive_after=None,
        create=False,
    )


def _hand_over(server: Embedded, directory: Path) -> None:
    for path in (directory, *directory.rglob("*")):
        server.account.own(path)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _put_back(path: Path, content: bytes | None, server: Embedded) -> None:
    """As it was in the backup: the settings of the trial, and who could connect to it, are no part of that."""
    path.unlink(missing_ok=True)
    if content is not None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        server.account.own(path)


def _require_same(server: Embedded, base: Manifest) -> None:
    with connect(server.dsn()) as conn:
        found = one(conn, "SELECT system_identifier::text FROM pg_control_system()")
    if found != base.details["system_identifier"]:
        raise VerificationFailed(base.id, (f"it is cluster {found}, another one",))
    for name in databases(server):
        with connect(server.dsn(name)) as conn:
            one(conn, "SELECT count(*) FROM pg_class")


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
