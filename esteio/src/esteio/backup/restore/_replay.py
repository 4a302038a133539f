"""WAL replayed over a restored directory, by PostgreSQL itself.

Promises: no setting of the backup has a say, whether it stands in postgresql.conf, in what that includes, or in
postgresql.auto.conf: the server runs on files of our own, and what matters is given on its command line too. It runs no
command, loads no library, archives nothing, and starts no worker of an extension or of a logical subscription: a replayed
subscriber would take the changes of the real one. It answers, it is the cluster it should be, all WAL of the plan was
replayed, and each of its databases can be opened; it is left stopped, with the settings it had. PostgreSQL says when WAL
ends before the target: RestoreRefused with what can be reached.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from esteio.backup._details import DetailCode
from esteio.backup._errors import RestoreRefused, VerificationFailed
from esteio.backup._manifest import Manifest
from esteio.backup._session import connect, one
from esteio.backup.archive._segments import lsn_bytes
from esteio.backup.restore._plan import Plan, Target
from esteio.backup.restore._tablespaces import everything
from esteio.backup.tools import Toolbox
from esteio.postgres.embedded import Embedded, StartFailed
from esteio.postgres.embedded._hold import hold_file
from esteio.system import sync_directory

__all__ = ["databases", "replay"]

_LAST = re.compile(r"last completed transaction was at log time ([0-9:. -]+\S*)")
_REDONE = re.compile(r"redo done at ([0-9A-F]+/[0-9A-F]+)")
_TOO_EARLY = "recovery ended before configured recovery target"
_OWN_FILES = ("postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf", "esteio.conf")
_SIGNALS = ("recovery.signal", "standby.signal")
_NOTHING = dict.fromkeys(
    (
        "archive_cleanup_command",
        "archive_command",
        "archive_library",
        "local_preload_libraries",
        "primary_conninfo",
        "primary_slot_name",
        "recovery_end_command",
        "recovery_target",
        "recovery_target_lsn",
        "recovery_target_name",
        "recovery_target_time",
        "recovery_target_xid",
        "session_preload_libraries",
        "shared_preload_libraries",
        "synchronous_standby_names",
    ),
    "",
)
_ALWAYS = {
    "archive_mode": "off",
    "autovacuum": "off",
    "fsync": "off",  # it would make each file durable by itself, which takes ten times as long as `sync_all` after it
    "hot_standby": "off",  # it answers when it is done, and a smaller max_connections does not matter
    "logging_collector": "off",
    "max_logical_replication_workers": "0",
    "max_prepared_transactions": "1000",  # those in WAL are brought back too, and would not fit into none
    "max_locks_per_transaction": "256",
    "recovery_target_action": "promote",
    "recovery_target_inclusive": "on",
    "restore_command": "false",  # all of it is in pg_wal already
    "wal_level": "replica",
}
_FIRST_WITH_TRIGGERS_OFF = 17
# Seconds for its last checkpoint. Cut off, it would leave pages unwritten, whose checksums would be taken for damage.
_SHUTDOWN = 1800.0
_SINCE_17 = {"event_triggers": "off"}  # one at login would run when we look

Look = Callable[[Embedded], None]


def replay(
    plan: Plan, directory: Path, toolbox: Toolbox, *, start_timeout: float, look: Look | None = None
) -> datetime | None:
    """Replay WAL in `directory`; when the last transaction in it was committed, None where its log does not say.

    `look` is called with the server while it runs. StartFailed when it does not start within `start_timeout` seconds,
    VerificationFailed when it is not what it should be, RestoreRefused when WAL ends before the plan's target.
    """
    own = {name: _content(directory / name) for name in _OWN_FILES}
    for name in (*_OWN_FILES, *_SIGNALS):
        (directory / name).unlink(missing_ok=True)
    server = _server(plan, directory, toolbox, start_timeout, target=plan.stop or plan.target)
    for name in ("recovery.signal", "postgresql.conf", "postgresql.auto.conf"):
        (directory / name).touch(mode=0o600)
    _hand_over(server, directory)
    try:
        server = _started(plan, server, directory, toolbox, start_timeout)
        said = (server.data_dir / "console.log").read_text(errors="replace")
        _require_same(server, plan.base)
        _require_replayed(plan, said)
        if look is not None:
            look(server)
        server.stop(_SHUTDOWN)
        return _last_commit(said)
    except StartFailed as error:
        raise _explained(plan, directory, error) from error
    finally:
        server.stop()
        hold_file(directory).unlink(missing_ok=True)
        for name in _SIGNALS:
            (directory / name).unlink(missing_ok=True)
        for name, content in own.items():
            _put_back(directory / name, content, server)
        sync_directory(directory)


def _started(plan: Plan, server: Embedded, directory: Path, toolbox: Toolbox, start_timeout: float) -> Embedded:
    try:
        server.start()
    except StartFailed as error:
        # PostgreSQL wants to see a transaction after the target. At the very last one there is none, and all of the WAL
        # is what was asked for; it goes on from where it was.
        if _TOO_EARLY not in error.log or plan.stop is not None or plan.target != plan.window.ends:
            raise
        server = _server(plan, directory, toolbox, start_timeout, target=None)
        server.start()
    return server


def databases(server: Embedded) -> list[str]:
    """The names of those that can be connected to."""
    with connect(server.dsn()) as conn:
        return [name for (name,) in conn.execute("SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1")]


def _server(
    plan: Plan,
    directory: Path,
    toolbox: Toolbox,
    start_timeout: float,
    *,
    target: datetime | Target | None,
) -> Embedded:
    settings = {
        **_NOTHING,
        **_ALWAYS,
        **(_SINCE_17 if toolbox.major >= _FIRST_WITH_TRIGGERS_OFF else {}),
        "recovery_target_timeline": str(plan.branch.timeline) if plan.branch else "current",
    }
    stop = target if isinstance(target, Target) else Target(time=target)
    if plan.log or plan.stop is not None:
        for name, value in stop.setting.items():
            del settings[name]  # to set it last: even an empty target after it would be a second one to PostgreSQL
            settings[name] = value
    return Embedded(
        directory,
        major=toolbox.major,
        binaries=toolbox.directory,
        overrides=settings,
        start_timeout=start_timeout,
        unresponsive_after=None,
        create=False,
        die_with_parent=True,
    )


def _hand_over(server: Embedded, directory: Path) -> None:
    for path in everything(directory):
        server.account.own(path)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _put_back(path: Path, content: bytes | None, server: Embedded) -> None:
    """As it was in the backup: the settings of the verification, and who could connect to it, are no part of that."""
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
        raise VerificationFailed(base.id, (DetailCode.OTHER_CLUSTER(system=found),))
    for name in databases(server):
        with connect(server.dsn(name)) as conn:
            one(conn, "SELECT count(*) FROM pg_class")


def _require_replayed(plan: Plan, said: str) -> None:
    """All of the plan's WAL, where no target ended it before: its last complete segment was at least begun."""
    complete = [wal.segment for wal in plan.log if not wal.partial]
    if plan.target is not None or plan.stop is not None or len(complete) < 2:
        return
    redone = _REDONE.findall(said)
    last = complete[-1]  # a record that began in the one before may fill it
    if redone and lsn_bytes(redone[-1]) < (last.number - 1) * last.size:
        raise VerificationFailed(plan.base.id, (DetailCode.REPLAY_TOO_SHORT(found=redone[-1], wanted=last.name),))


def _explained(plan: Plan, directory: Path, error: StartFailed) -> Exception:
    if _TOO_EARLY not in error.log:
        return error
    last = _last_commit(error.log) or plan.window.begins
    reason = DetailCode.UNREACHABLE_WAL_ENDS(target=str(plan.stop or Target(time=plan.target)))
    begins = plan.window.begins.isoformat(" ", "seconds")
    advice = DetailCode.REACHABLE_FROM_TO(begins=begins, ends=last.isoformat(" "))
    return RestoreRefused(str(directory), reason, advice)


def _last_commit(log: str) -> datetime | None:
    said = _LAST.findall(log)
    with suppress(ValueError, IndexError):
        return datetime.fromisoformat(said[-1].strip().removesuffix("UTC").strip()).replace(tzinfo=UTC)
    return None
