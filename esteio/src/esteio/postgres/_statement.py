"""One statement outside of any transaction.

Promises: it is sent once, unless the server refused it because it only reads, or the caller said that it may
be repeated. A server that has hung is not waited for longer than its own statement_timeout and a second, or
the deadline around the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from random import random
from typing import TYPE_CHECKING, Any

from psycopg import AsyncCursor
from psycopg.rows import AsyncRowFactory

from esteio import events
from esteio.policy._scope import OPEN_END, SCOPE
from esteio.policy._waits import pause_async
from esteio.postgres._attempts import Attempts, Trouble, trouble
from esteio.postgres._connection import Connection
from esteio.postgres._errors import DatabaseUnavailable, is_connection_loss
from esteio.postgres._events import TransactionRetried
from esteio.postgres._run import time_left

if TYPE_CHECKING:
    from esteio.postgres._database import Database
    from esteio.postgres._pool import Pool

__all__ = ["statement"]

_ATTEMPTS = 100  # the time is what bounds them
_REFUSALS = 10  # by a server that only reads, until the address leads to another
_GRACE = 0.1  # the policy cancels us first, and a server that lives is told to stop
_HUNG_SECONDS = 1.0  # what the server may take beyond its own limit


async def statement(
    database: Database,
    sql: Any,
    params: Any,
    row_factory: AsyncRowFactory[Any],
    fetch: Callable[[AsyncCursor[Any]], Awaitable[Any]],
    read_only: bool,
    idempotent: bool,
) -> Any:
    """Execute `sql` and return what `fetch` makes of its cursor."""
    timed = SCOPE.get() is not OPEN_END
    plan: Attempts | None = None
    while True:
        pool, conn = await database.borrow(read_only, _timeout(database) if timed else None)
        timer = _guard(database, conn, timed)
        try:
            cursor = conn.cursor(row_factory=row_factory)
            await cursor.execute(sql, params)
            result = await fetch(cursor)
        except BaseException as error:
            kind = _ended(database, pool, conn, error)
            now = database.clock.monotonic()
            harmless = read_only or idempotent
            plan = plan or Attempts(_ATTEMPTS if harmless else _REFUSALS, now + _timeout(database), random)
            wait = plan.again(_repeatable(kind, harmless), now)
            if wait is None:
                if conn.is_cut and isinstance(error, Exception):
                    raise DatabaseUnavailable(database.name, "it did not answer in time: it hangs") from error
                database.in_our_words(error, kind)
                raise
        else:
            conn.cut_at = inf
            pool.release(conn)
            if not read_only:
                database.wrote(None)
            return result
        finally:
            if timer is not None:
                timer.cancel()
        database.retried += 1
        if events.active():
            events.emit(TransactionRetried(database.name, plan.attempt, kind, wait))
        await pause_async(database.clock, wait)


def _timeout(database: Database) -> float:
    return min(database.dsn.pool_timeout, time_left(None))


def _guard(database: Database, conn: Connection, timed: bool) -> asyncio.TimerHandle | None:
    """See to it that nobody waits for ever; the pool looks after `cut_at` once a second."""
    if database.dsn.statement_timeout:
        conn.cut_at = database.clock.monotonic() + database.dsn.statement_timeout / 1000 + _HUNG_SECONDS
    left = time_left(None) if timed else inf
    return None if left == inf else asyncio.get_running_loop().call_later(left + _GRACE, conn.abandon)


def _ended(database: Database, pool: Pool, conn: Connection, error: BaseException) -> Trouble:
    kind = trouble(error, conn.role_now())
    if kind.ends_generation:
        database.broke(pool, conn, error)
    if kind.ends_generation or is_connection_loss(error):
        conn.drop()
    conn.cut_at = inf
    pool.release(conn)
    return kind


def _repeatable(kind: Trouble, harmless: bool) -> Trouble:
    return kind if harmless or kind.before_it_ran else Trouble.OTHER
