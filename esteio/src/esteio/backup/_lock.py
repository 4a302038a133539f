"""Locks: lock files on one machine, and the leader lock among several.

Promises: a lock ends with its process, so nothing stale has to be removed by hand; who holds a lock file is told.
Readers share theirs, so a restore waits for no backup and no other restore, only for a prune.

At any time at most one of all who ask the same server is the leader. It is a session's advisory lock, so it
ends with whoever holds it, however that ended; another takes over within some seconds. It waits a moment before it does,
in which one that lost its session notices that; only when the network between them and the server is cut may both hold
it, for up to half a minute. It needs a connection of its own to the primary, not one from a pool that changes sessions.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from esteio.backup._errors import AlreadyRunning, LockRefused, NotLeader
from esteio.backup._session import Connection, connect, one
from esteio.clock import SYSTEM, Clock
from esteio.errors import EsteioError
from esteio.postgres import Dsn
from esteio.system import inherit_owner, try_lock

__all__ = ["BACKUPS", "LeaderLock", "Lock", "leading"]

_POLL = 0.1


class Lock:
    """The lock file `path`, held within the block, alone or `shared` with others who share it.

    AlreadyRunning when somebody else still holds it after `patience` seconds; `waiting` is called when that is waited for.
    """

    def __init__(
        self,
        path: Path,
        patience: float = 0.0,
        waiting: Callable[[], object] = lambda: None,
        *,
        shared: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        self._shared = shared
        self._path = path
        self._patience = patience
        self._waiting = waiting
        self._clock = clock
        self._handle = -1
        self.note = ""
        """What the one who held it last had written into it."""

    def __enter__(self) -> Self:
        try:
            # In a directory of everybody's, somebody else may have put a link there.
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            self._handle = os.open(self._path, flags, 0o600)
            inherit_owner(self._path)
        except OSError as error:
            if self._shared and error.errno == errno.EROFS:
                return self  # nobody can remove what is read from here
            raise LockRefused(self._path, error.strerror or str(error)) from error
        try:
            self._take()
            self.note = " ".join(self._content()[1:])
            self.write(self.note)
        except BaseException:
            os.close(self._handle)
            raise
        return self

    def write(self, note: str) -> None:
        """Leave `note` in the file, which must be held, for the next who holds it."""
        os.ftruncate(self._handle, 0)
        os.lseek(self._handle, 0, os.SEEK_SET)
        os.write(self._handle, f" {os.getpid()} {note}\n".encode())

    def _content(self) -> list[str]:
        """Process and note. Windows has no `os.pread`; what is locked there lies behind the content."""
        os.lseek(self._handle, 0, os.SEEK_SET)
        return os.read(self._handle, 100).decode(errors="replace").split()

    def _take(self) -> None:
        deadline, waited = self._clock.monotonic() + self._patience, False
        while not self._try():
            if self._clock.monotonic() >= deadline:
                holder = next(iter(self._content()), "")
                raise AlreadyRunning(self._path, int(holder) if holder.isdigit() else None)
            if not waited:
                waited = True
                self._waiting()
            self._clock.sleep(_POLL)

    def _try(self) -> bool:
        try:
            return try_lock(self._handle, shared=self._shared)
        except OSError as error:
            raise LockRefused(self._path, error.strerror or str(error)) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._handle >= 0:
            os.close(self._handle)


BACKUPS = "backups"
"""The name under which machines agree on who makes the backups."""

_EVERY = 2.0  # seconds between two looks
_GRACE = 2  # looks in which whoever led before us notices that it does not any more
_NOTICED = {  # how the server notices that we are gone without a word, and we that it is
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "statement_timeout": "10s",
}
_logger = logging.getLogger("esteio.backup")


class LeaderLock:
    """The lock named `what` in the database `dsn`; tried for within the block, every `every` seconds."""

    def __init__(self, dsn: Dsn, what: str, *, every: float = _EVERY) -> None:
        self._dsn = _of_primary(dsn)
        self._key = _key(what)
        self._what = what
        self._every = every
        self._held = False
        self._said = ""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="esteio leader lock", daemon=True)

    def held(self) -> bool:
        """Whether we are the leader; answers at once."""
        return self._held

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ending.set()
        self._thread.join(self._every)

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                with connect(self._dsn) as conn:
                    self._hold(conn)
            except EsteioError as error:
                self._say(f"{self._what}: who is the leader cannot be asked: {error}", logging.WARNING)
            finally:
                self._held = False
            self._ending.wait(self._every)

    def _hold(self, conn: Connection) -> None:
        while not _try_lock(conn, self._key):
            self._say(f"{self._what}: another machine is the leader; we wait", logging.INFO)
            if self._ending.wait(self._every):
                return
        held = 0
        while not self._ending.wait(self._every):
            conn.execute("SELECT 1")
            held += 1
            if held == _GRACE:
                self._held = True
                self._say(f"{self._what}: we are the leader", logging.INFO)

    def _say(self, text: str, level: int) -> None:
        if text != self._said:
            _logger.log(level, "%s", text)
        self._said = text


@contextmanager
def leading(dsn: Dsn, what: str = BACKUPS) -> Iterator[None]:
    """Be the leader for the time of the block, such as one run that cron began; NotLeader when another machine is."""
    with connect(_of_primary(dsn)) as conn:
        if not _try_lock(conn, _key(what)):
            raise NotLeader(dsn.database or dsn.masked)
        yield


def _of_primary(dsn: Dsn) -> Dsn:
    parameters = dict(dsn.parameters)
    parameters.setdefault("target_session_attrs", "read-write")  # a standby has locks of its own
    parameters.setdefault("tcp_user_timeout", "15000")
    return dsn.with_(parameters=tuple(parameters.items()))


def _key(what: str) -> int:
    return int.from_bytes(hashlib.sha256(f"esteio {what}".encode()).digest()[:8], "big", signed=True)


def _try_lock(conn: Connection, key: int) -> bool:
    for name, value in _NOTICED.items():
        conn.execute("SELECT pg_catalog.set_config(%s, %s, false)", [name, value])
    return bool(one(conn, "SELECT pg_catalog.pg_try_advisory_lock(%s)", [key]))
