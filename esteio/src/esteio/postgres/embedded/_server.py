"""A PostgreSQL server that this program owns.

Promises: `start` returns when the server answers; it makes the data directory when there is none and was none, takes
over a server that a crashed supervisor left running, and is not stopped by what such a crash left behind. While
somebody replaces the data directory (`Hold`) it waits.
On a full disk it starts all the same, out of a reserve of its own (`_reserve`).
A server whose data directory is deleted or replaced while it runs is ended within seconds. One that has given no
answer for `unresponsive_after` seconds is not alive, and `start` replaces it.
The server has a session of its own, so an interrupt at the terminal does not reach it before `stop` does.
Every failure is an `EmbeddedError` that says what to do.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

from esteio.clock import SYSTEM, Clock
from esteio.postgres._dsn import Dsn
from esteio.postgres.embedded._account import resolve_account
from esteio.postgres.embedded._binaries import Binaries, find_binaries, reachable_by
from esteio.postgres.embedded._configuration import Configuration, disk_of
from esteio.postgres.embedded._data_dir import SUPERUSER, create_cluster, locate, mark_cluster
from esteio.postgres.embedded._errors import DataDirectoryError, NotStarted, StartFailed
from esteio.postgres.embedded._hold import unheld
from esteio.postgres.embedded._process import (
    Postmaster,
    PostmasterFile,
    identity,
    kill_stragglers,
    read_postmaster_file,
)
from esteio.postgres.embedded._reserve import Reserve
from esteio.postgres.embedded._settings import server_settings
from esteio.postgres.embedded._socket import socket_directory
from esteio.postgres.embedded._watch import Silence, Watch, answers
from esteio.system import die_with_parent

__all__ = ["Embedded"]

_logger = logging.getLogger("esteio.postgres")

_POLL = 0.02
_KILL_SECONDS = 5.0
_CONSOLE = "console.log"


class Embedded:
    """A server on `data_dir`, of PostgreSQL `major`, on a private Unix socket named by `port`.

    `binaries` is the directory of its programs (None: the wheel of the extra `embedded`, else Debian's);
    `account` the one it runs under when we are root (None: postgres, else nobody); `settings` go before
    ours, and `overrides` before every file: they are given on the command line. `start_timeout`, in seconds, includes
    the recovery after a crash. `unresponsive_after` seconds of no answer on the socket make it dead, while it starts
    too; None: never. `create`: None makes a cluster where none was before, True also where one was, False never.
    `reserve` bytes on the disk of its log are kept for a start on a full one; 0: none.
    With `die_with_parent` it does not outlive the thread that calls `start` (on Linux), and has no reserve.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        major: int = 18,
        binaries: Path | None = None,
        account: str | None = None,
        port: int = 5432,
        settings: Mapping[str, str] | None = None,
        overrides: Mapping[str, str] | None = None,
        start_timeout: float = 60.0,
        unresponsive_after: float | None = 15.0,
        create: bool | None = None,
        reserve: int = 32 << 20,
        die_with_parent: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        if unresponsive_after is not None and not unresponsive_after >= 1.0:
            msg = f"unresponsive_after={unresponsive_after!r}; allowed: seconds from 1.0, or None to wait for ever"
            raise ValueError(msg)
        self.requested = Path(data_dir).absolute()
        self.binaries = find_binaries(major, binaries)
        self.account = resolve_account(account)
        self.port = port
        self._settings = {**server_settings(disk=disk_of(self.requested)), **(settings or {})}
        self._overrides = dict(overrides or {})
        self._start_timeout = start_timeout
        self._clock = clock
        self._directory = self.requested
        self._socket_dir = Path()
        self._postmaster: Postmaster | None = None
        self._given_up = threading.Event()
        self._unresponsive_after = unresponsive_after
        self._create = create
        self._reserve_size = 0 if die_with_parent else reserve
        self._die_with_parent = die_with_parent
        self._watch: Watch | None = None
        self._was_up = False

    @property
    def name(self) -> str:
        """What a supervisor calls it."""
        return "PostgreSQL"

    @property
    def data_dir(self) -> Path:
        """Where the data really lies, once started."""
        return self._directory

    @property
    def pid(self) -> int | None:
        """The process id of the server's main process, or None when none was started."""
        return self._postmaster.pid if self._postmaster else None

    @property
    def adopted(self) -> bool:
        """Whether `start` found the server running."""
        return self._postmaster is not None and self._postmaster.adopted

    def is_alive(self) -> bool:
        """Whether the main process runs, has its data, and has answered within `unresponsive_after` seconds."""
        if self._watch is not None and (self._watch.gone or self._watch.silent):
            return False
        return self._postmaster is not None and self._postmaster.is_alive()

    def start(self) -> None:
        """Start the server, or adopt the one that runs; returns when it answers.

        While the data directory is held it waits for as long as that takes, or until `stop` is called.
        """
        if self.is_alive() and self._answers():  # one that was killed a moment ago still counts as running
            return
        self._end_useless()
        self._given_up.clear()
        programs = reachable_by(self.account, self.binaries)
        with unheld(self.locate(), self._given_up, clock=self._clock) as free:
            if not free:
                raise StartFailed(self._directory, "the directory was held until the start was given up", "")
            self._start(programs)
        self._was_up = True
        if self._create is not False:  # who never makes one has no use for knowing that there was one
            mark_cluster(self._directory)
        assert self._postmaster is not None
        self._watch = Watch(
            self._postmaster,
            self._directory,
            self._answers,
            self._unresponsive_after,
            self._clock,
            self._tend_reserve,
        )
        self._watch.begin()

    def locate(self) -> Path:
        """Where the data lies, or will; directories above it are made. DataDirectoryError when that cannot be."""
        self._directory = locate(self.requested, self.account)
        return self._directory

    def adopt(self) -> bool:
        """Take over the server that runs on the data directory, whoever started it; whether one does."""
        self._directory = self.requested.resolve()
        return self._find()

    def _start(self, programs: Binaries) -> None:
        deadline = self._clock.monotonic() + self._start_timeout
        # What vanished while we ran is never made anew, whatever was said: nobody would notice.
        again = False if self._was_up else self._create
        create_cluster(self._directory, programs, self.account, sync=self._settings.get("fsync") != "off", again=again)
        if self._adopt(deadline):
            return
        self._reserve.release()  # before anything is written
        self._socket_dir = socket_directory(self._directory, self.account)
        try:
            self._configuration.prepare(self._settings)
        except OSError as error:
            problem = f"its configuration cannot be written: {error.strerror}"
            raise DataDirectoryError(self._directory, problem, "make room, or let this account write there") from error
        while True:
            child = self._spawn(programs.program("postgres"))
            self._postmaster = Postmaster(self._directory, child.pid, child)
            if self._await_answer(deadline) and self._is_answered_by(child.pid):
                return
            # Ended already, or about to: another process was faster and holds the lock file.
            try:
                child.wait(max(1.0, deadline - self._clock.monotonic()))
            except subprocess.TimeoutExpired:
                self.stop(0.0)
                reason = f"another server answers in its place, and it does not end within {self._start_timeout:g} s"
                raise StartFailed(self._directory, reason, self._log_tail()) from None
            if self._adopt(deadline):
                return
            if not self._left_by_a_crash() or self._clock.monotonic() > deadline:
                self._postmaster = None
                raise StartFailed(self._directory, f"it ended with {child.returncode}", self._log_tail())
            self._clock.sleep(5 * _POLL)

    def stop(self, timeout: float = 30.0) -> None:
        """Stop the server, rolling back open transactions; after `timeout` seconds it is cut off, losing no commit."""
        self._given_up.set()
        self._end_useless()
        for number, patience in ((signal.SIGINT, timeout), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0)):
            if self._postmaster is None or not self._postmaster.is_alive():
                break
            self._postmaster.kill() if number is signal.SIGKILL else self._postmaster.signal(number)
            deadline = self._clock.monotonic() + patience
            while self._postmaster.is_alive() and self._clock.monotonic() < deadline:
                self._clock.sleep(_POLL)
            if self._postmaster.is_alive():
                _logger.warning("PostgreSQL %d still runs %g s after %s", self._postmaster.pid, patience, number.name)
        self._postmaster = None
        with suppress(OSError):  # never made, or another server's socket is in it
            self._socket_dir.rmdir()

    def dsn(self, database: str = "postgres", user: str = SUPERUSER) -> Dsn:
        """The address of `database` for `user`, for processes of the account that runs us.

        Raises `NotStarted` before `start` or `adopt`: until then nobody knows where the server listens.
        """
        if self._socket_dir == Path():
            raise NotStarted(self.requested)
        return Dsn(hosts=((str(self._socket_dir), self.port),), database=database, user=user)

    def ensure_database(self, name: str, owner: str) -> None:
        """Make the role `owner` and the database `name`, each unless it exists."""
        read_again = self._configuration.allow(owner)
        with psycopg.connect(self.dsn().conninfo, autocommit=True) as conn:
            if read_again:
                conn.execute("SELECT pg_reload_conf()")
            with suppress(psycopg.errors.DuplicateObject):
                if not conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [owner]).fetchone():
                    conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(owner)))
            with suppress(psycopg.errors.DuplicateDatabase):
                if not conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                    command = sql.SQL("CREATE DATABASE {} OWNER {}")
                    conn.execute(command.format(sql.Identifier(name), sql.Identifier(owner)))

    # Starting

    def _adopt(self, deadline: float) -> bool:
        """Whether a server answers on the data directory already."""
        if not self._find() or self._postmaster is None:
            return False
        pid = self._postmaster.pid
        if self._await_answer(deadline):
            _logger.warning("PostgreSQL %d was already running on %s: adopted", pid, self._directory)
            return True
        return False

    def _find(self) -> bool:
        """Whether a server runs on the data directory already; forgets a pid file that names another program."""
        found = read_postmaster_file(self._directory)
        if found is None:
            return False
        ours = self._postmaster is not None and self._postmaster.pid == found.pid and self._postmaster.is_alive()
        running = self._postmaster if ours and self._postmaster else Postmaster(self._directory, found.pid)
        if not running.is_alive():
            self._remove_stale_locks(found)
            return False
        if not found.names_a_socket:
            return False  # it starts just now; who is told "lock file" by a server of its own looks again
        self._postmaster, self._socket_dir, self.port = running, found.socket_dir, found.port
        return True

    def _remove_stale_locks(self, found: PostmasterFile) -> None:
        """Remove what names a process that is no server of this directory.

        A server takes whatever runs under that process id for itself, also the remains of the one before that nobody has
        reaped yet, and does not start. A process id that nobody has it handles by itself.
        """
        for lock in (self._directory / "postmaster.pid", found.socket_dir / f".s.PGSQL.{found.port}.lock"):
            with suppress(OSError, ValueError, IndexError):
                if Postmaster(self._directory, int(lock.read_text().splitlines()[0])).is_another():
                    lock.unlink()

    def _left_by_a_crash(self) -> bool:
        """Whether the start that just ended failed for what a killed server left behind, so that another may succeed."""
        said = self._log_tail()
        if "lock file" in said:
            return True  # its process was dying; `_find` removes the file now that it is dead
        if "shared memory block" not in said:
            return False
        # Processes of a killed server hold its memory until they notice, which takes a moment, or for ever when frozen.
        data = identity(self._directory)
        if data is not None:
            kill_stragglers(data)
        return True

    @property
    def _configuration(self) -> Configuration:
        return Configuration(self._directory, self.account, self.binaries.major)

    @property
    def _reserve(self) -> Reserve:
        return Reserve(self._directory, self.account, self._reserve_size)

    def _tend_reserve(self) -> None:
        """Take the room back, or give it to a server that recovers again and again by itself, without a start of ours."""
        self._reserve.restore()
        if self._reserve.wanted and self._recovers():
            self._reserve.release()

    def _recovers(self) -> bool:
        """Whether it says that it starts, recovers or stops."""
        return psycopg.pq.PGconn.ping(self.dsn().conninfo.encode()) == psycopg.pq.Ping.REJECT

    def _answers(self) -> bool:
        return answers(self._socket_dir, self.port)

    def _end_useless(self) -> None:
        """End a server that lost its data or its voice, with all its processes, and wait for the end of it."""
        watch, self._watch = self._watch, None
        if watch is None:
            return
        watch.end()
        if self._postmaster is not None and (watch.gone or watch.silent):
            self._kill(self._postmaster)

    def _kill(self, postmaster: Postmaster) -> None:
        postmaster.kill()
        deadline = self._clock.monotonic() + _KILL_SECONDS
        while postmaster.is_alive() and self._clock.monotonic() < deadline:
            self._clock.sleep(_POLL)

    def _is_answered_by(self, pid: int) -> bool:
        """Whether the lock file names `pid`: in a race the socket may be the other server's while ours still lives."""
        found = read_postmaster_file(self._directory)
        return found is not None and found.pid == pid

    def _spawn(self, program: Path) -> subprocess.Popen[bytes]:
        self._configuration.write(_CONSOLE, "")
        command = [str(program), "-D", str(self._directory), "-k", str(self._socket_dir), "-p", str(self.port)]
        command += [part for name, value in self._overrides.items() for part in ("-c", f"{name}={value}")]
        account = self.account.popen
        if self._die_with_parent and sys.platform == "linux":
            ids = (self.account.uid, self.account.gid) if self.account.foreign else (-1, -1)
            # An immediate shutdown: a smart one would wait for whatever statement is under way.
            command, account = die_with_parent(command, number=signal.SIGQUIT, account=ids), {}
        handle = os.open(self._directory / _CONSOLE, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
        with os.fdopen(handle, "ab") as console:
            return subprocess.Popen(  # noqa: S603
                command,
                cwd=self._directory,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                umask=0o077,
                **account,
            )

    def _await_answer(self, deadline: float) -> bool:
        """Whether the server answers before it ends; StartFailed when it does neither in time."""
        assert self._postmaster is not None
        problem = ""
        silence = Silence(self._clock)
        while self._postmaster.is_alive():
            try:
                psycopg.connect(self.dsn().conninfo, connect_timeout=2).close()
            except psycopg.OperationalError as error:
                problem = str(error)
            else:
                return True
            silence.note(self._answers())
            if self._unresponsive_after is not None and silence.seconds >= self._unresponsive_after:
                _logger.error("PostgreSQL %d has not answered for %.1f s", self._postmaster.pid, silence.seconds)
                self._kill(self._postmaster)
                return False
            if self._clock.monotonic() > deadline:
                log = self._log_tail()
                if not self._postmaster.adopted:
                    self.stop(0.0)
                raise StartFailed(
                    self._directory, f"no answer within {self._start_timeout:g} s ({problem.strip()})", log
                )
            self._clock.sleep(_POLL)
        return False

    def _log_tail(self, lines: int = 12) -> str:
        logs = sorted(self._directory.glob("log/*.log"), key=lambda path: path.stat().st_mtime)[-1:]
        text: list[str] = []
        for path in [*logs, self._directory / _CONSOLE]:
            with suppress(OSError), path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - 8192))
                text += file.read().decode(errors="replace").splitlines()[-lines:]
        return "\n".join(text)
