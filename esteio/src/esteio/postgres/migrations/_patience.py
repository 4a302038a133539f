"""One migrator at a time, and none that makes the service wait for it.

Promises: while a table is locked by others an attempt gives up after `MigrationRules.lock_timeout`, is rolled back
whole and made again after a jittered pause, so that nobody queues behind it for longer; both waits have an end and
say who is in the way.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from random import random
from typing import Any, TypeVar

import psycopg
from psycopg import Connection

from esteio.clock import SYSTEM, Clock
from esteio.policy._backoff import Exponential
from esteio.postgres.migrations._errors import MigrationBlocked, MigrationInProgress
from esteio.postgres.migrations._rules import MigrationRules

__all__ = ["KEY", "only_migrator", "patiently"]

_logger = logging.getLogger("esteio.postgres")
_Result = TypeVar("_Result")

KEY = 0x65_73_74_65_69_6F
"""The advisory lock of a database's migrations, unless another one is named."""

_PAUSES = Exponential(0.1, cap=5.0)  # seconds, and up to half of that less or more
_POLL = 0.25

_HOLDER = """
SELECT a.pid, a.application_name, extract(epoch FROM now() - a.backend_start)::int
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::int8 << 32) + l.objid::int8 = %s LIMIT 1
"""
_OLDEST = """
SELECT pid, application_name, extract(epoch FROM now() - xact_start)::int FROM pg_stat_activity
WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database() ORDER BY xact_start LIMIT 1
"""


@contextlib.contextmanager
def only_migrator(conn: Connection[Any], key: int, rules: MigrationRules, clock: Clock = SYSTEM) -> Iterator[None]:
    """A block that one session at a time is in; MigrationInProgress after `rules.wait` seconds.

    The lock is the session's: it ends with the connection, however that ends. `conn` is outside of a transaction.
    """
    began = clock.monotonic()
    waited = False
    # Asked again and again: a session that waits in pg_advisory_lock has a snapshot, for which the holder's
    # CREATE INDEX CONCURRENTLY would wait in turn.
    while not _settled(conn, "SELECT pg_try_advisory_lock(%s)", [key])[0]:
        if not waited:
            waited = True
            _logger.info("another migrator is at work: waiting for it")
        if clock.monotonic() - began >= rules.wait:
            raise MigrationInProgress(key, rules.wait, _who(_settled(conn, _HOLDER, [key])))
        clock.sleep(_POLL * (0.5 + random()))  # noqa: S311 - jitter
    try:
        yield
    finally:
        if not conn.closed:
            _settled(conn, "SELECT pg_advisory_unlock(%s)", [key])


def patiently(
    attempt: Callable[[], _Result], conn: Connection[Any], rules: MigrationRules, clock: Clock = SYSTEM
) -> _Result:
    """What `attempt` returns once nobody is in its way; MigrationBlocked after `rules.patience` seconds.

    `attempt` leaves nothing behind when it raises.
    """
    began = clock.monotonic()
    attempts = 0
    while True:
        attempts += 1
        try:
            return attempt()
        except Exception as error:
            cause = _lock_in(error)
            if cause is None:
                raise
            spent = clock.monotonic() - began
            pause = _PAUSES.step(attempts - 1) * (0.5 + random())  # noqa: S311 - jitter
            if spent + pause > rules.patience:
                oldest = _who(_settled(conn, _OLDEST, []))
                raise MigrationBlocked(attempts, spent, str(cause).splitlines()[0], oldest) from error
            _logger.info("migration attempt %d found a table locked, again in %.1f s", attempts, pause)
            clock.sleep(pause)


def _lock_in(error: BaseException | None) -> psycopg.Error | None:
    """The driver's word that a lock could not be had, however it is wrapped."""
    while error is not None:
        if isinstance(error, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
            return error
        error = getattr(error, "orig", None) or error.__cause__
    return None


def _settled(conn: Connection[Any], query: str, params: list[object]) -> tuple[Any, ...]:
    """The first row of `query`, leaving no transaction open; empty when there is none."""
    row = conn.execute(query, params).fetchone()
    if not conn.autocommit:
        conn.commit()
    return tuple(row or ())


def _who(row: tuple[Any, ...]) -> str:
    return f"pid {row[0]}, {row[1] or 'unnamed'}, for {row[2]} s" if row else "nobody any more"
