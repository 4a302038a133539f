"""Two databases change places in one transaction.

Promises: whoever looks sees the old one or the new one under the name, never neither; when it fails or is interrupted,
everything is as it was. Who was connected to the old one is cut off and finds the new one when it comes back; where the
service is quiet, what is under way may end first.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress

import psycopg
from psycopg import sql

from esteio.backup._errors import RestoreRefused
from esteio.backup._session import Connection, connect, one
from esteio.clock import SYSTEM, Clock
from esteio.postgres import Dsn

__all__ = ["swap"]

_TRIES = 6  # PostgreSQL itself waits 5 s in each for the others to leave
_EVERY = 0.1
# Only a superuser may end an autovacuum worker; the rename ends those by itself.
_CUT_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = ANY (%s) AND pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'"""
_AT_WORK = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = %s AND state <> 'idle' AND pid <> pg_backend_pid())"""


def swap(admin: Dsn, new: str, name: str, kept: str, *, patience: float = 0.0, clock: Clock = SYSTEM) -> None:
    """Rename database `name` to `kept` and `new` to `name`; RestoreRefused when somebody does not let go of them.

    Who is at work in `name` may end that within `patience` seconds.
    """
    with connect(admin) as renaming, connect(admin) as cutting, ThreadPoolExecutor(1, "esteio swap") as pool:
        deadline = clock.monotonic() + patience
        while clock.monotonic() < deadline and one(cutting, _AT_WORK, [name]):
            clock.sleep(_EVERY)
        for _ in range(_TRIES):
            cutting.execute(_CUT_OFF, [[new, name]])
            attempt = pool.submit(_rename, renaming, new, name, kept)
            # Who slipped in before the rename locked the name is in its way until it is cut off too.
            while not _ended(attempt):
                cutting.execute(_CUT_OFF, [[new, name]])
            if attempt.result():
                return
    raise RestoreRefused(name, "programs connect to it faster than they can be cut off", "stop them, then try again")


def _rename(conn: Connection, new: str, name: str, kept: str) -> bool:
    with suppress(psycopg.errors.ObjectInUse), conn.transaction():
        for before, after in ((name, kept), (new, name)):
            conn.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(before), sql.Identifier(after))
            )
        return True
    return False


def _ended(attempt: Future[bool]) -> bool:
    try:
        attempt.exception(timeout=_EVERY)
    except NotYet:
        return False
    return True
