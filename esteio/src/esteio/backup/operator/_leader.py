"""The leader lock: which of several machines makes the backups of a database, decided by that database.

Promises: at any time at most one of all who ask the same server is the leader. It is a session's advisory lock, so it
ends with whoever holds it, however that ended; another takes over within some seconds. It waits a moment before it does,
in which one that lost its session notices that; only when the network between them and the server is cut may both hold
it, for up to half a minute. It needs a connection of its own to the primary, not one from a pool that changes sessions.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from esteio.backup._errors import NotLeader
from esteio.backup._session import Connection, connect, one
from esteio.errors import EsteioError
from esteio.postgres import Dsn

__all__ = ["BACKUPS", "LeaderLock", "leading"]

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
