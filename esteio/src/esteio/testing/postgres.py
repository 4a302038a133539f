"""A real PostgreSQL server for tests: started in half a second, databases made from templates, broken on cue.

Promises: nothing of it is left when it is stopped, whatever was done to it. It does not survive a power
failure (fsync is off), but what it acknowledged survives every kill, as in production. Signals go only to processes of
this server.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("embedded"):
    import psycopg

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from psycopg import sql

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded
from esteio.postgres.embedded._binaries import reachable_by

__all__ = ["PostgresServer"]

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "log_checkpoints": "off",
}


class PostgresServer:
    """An `Embedded` server in a temporary directory, which is `embedded` itself to tests that break it."""

    def __init__(self, *, major: int = 18, settings: Mapping[str, str] | None = None) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
        self._home.chmod(0o711)  # as root, the server's account has to pass
        self._frozen: list[int] = []
        settings = {**_SETTINGS, **(settings or {})}
        # A test may freeze it for as long as it likes: nobody takes it for dead then.
        self.embedded = Embedded(self._home / "data", major=major, settings=settings, unresponsive_after=None)

    def start(self) -> None:
        """Start the server; returns when it answers."""
        self.embedded.start()

    def stop(self) -> None:
        """Stop the server and remove its data."""
        self.thaw()
        self.embedded.stop(timeout=10.0)
        shutil.rmtree(self._home, ignore_errors=True)

    def dsn(self, database: str = "postgres", user: str = "postgres") -> Dsn:
        """The address of `database`."""
        return self.embedded.dsn(database, user)

    def create_database(self, name: str, *, template: str = "template1", owner: str = "postgres") -> Dsn:
        """Make database `name` as a copy of `template`, to which nobody may be connected; its address for `owner`."""
        # A third faster here, where nothing is synced, than to write each page to the log.
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY file_copy").format(
            sql.Identifier(name), sql.Identifier(template), sql.Identifier(owner)
        )
        self._run(command)
        return self.dsn(name, owner)

    def drop_database(self, name: str) -> None:
        """Remove database `name`, cutting off who is connected."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    # Two servers

    def standby(self) -> Self:
        """Another server that replicates this one, made by pg_basebackup; running, and no further than a moment behind."""
        other = type(self)(major=self.embedded.binaries.major)
        try:
            home, account = other.embedded.requested.parent, self.embedded.account
            account.own(home)
            programs = reachable_by(account, self.embedded.binaries)
            command = [str(programs.program("pg_basebackup")), "-D", str(home / "data"), "-d", self.dsn().conninfo]
            options = ["-R", "-X", "stream", "-c", "fast", "--no-sync"]
            subprocess.run([*command, *options], check=True, capture_output=True, timeout=60, cwd="/", **account.popen)  # noqa: S603
            other.start()
        except BaseException:
            other.stop()
            raise
        return other

    def promote(self) -> None:
        """Make a standby a primary; returns when it takes writes."""
        self._run(sql.SQL("SELECT pg_promote(true, 30)"))

    def set_read_only(self, read_only: bool = True) -> None:
        """Let new transactions only read, while the server goes on answering: how a switchover demotes a primary."""
        value = sql.SQL("on" if read_only else "off")
        self._run(sql.SQL("ALTER SYSTEM SET default_transaction_read_only = {}").format(value))
        self._run(sql.SQL("SELECT pg_reload_conf()"))

    def follow(self, primary: Self) -> None:
        """Start this stopped server as a standby of `primary`, which has all that it has."""
        directory, account = self.embedded.data_dir, self.embedded.account
        auto = directory / "postgresql.auto.conf"
        auto.write_text(auto.read_text() + f"primary_conninfo = '{primary.dsn().conninfo}'\n")
        for path in (directory / "standby.signal", auto):
            path.touch()
            account.own(path)
        self.start()

    # Faults

    def processes(self) -> list[int]:
        """The process ids of the server, its main process first; empty when it is stopped."""
        main = self.embedded.pid
        return [] if main is None or not self.embedded.is_alive() else [main, *_children(main)]

    def kill(self) -> None:
        """SIGKILL to all processes, as a power failure would but for what the disk has been told."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_backends(self) -> int:
        """SIGKILL to every session, after which the server restarts by itself; how many there were."""
        with psycopg.connect(self.dsn().conninfo, autocommit=True) as conn:
            query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            pids = [pid for (pid,) in conn.execute(query)]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(pids)

    def restart_at_once(self) -> None:
        """As `pg_ctl restart -m immediate`: no session is asked, the log is replayed."""
        if (pid := self.embedded.pid) is not None:
            os.kill(pid, signal.SIGQUIT)
        self.embedded.stop(10.0)
        self.start()

    def freeze(self) -> None:
        """Stop all processes where they are: the server neither answers nor refuses, until `thaw()`."""
        self._frozen = self.processes()
        for pid in self._frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        for pid in self._frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._frozen = []

    def _run(self, command: sql.Composed | sql.SQL) -> None:
        with psycopg.connect(self.dsn().conninfo, autocommit=True) as conn:
            conn.execute(command)


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(entry.name))
    return found
