"""One statement outside of any transaction.

Promises: it is sent once, unless the server refused it because it only reads, or the caller said that it may
be repeated. A server that has hung is not waited for longer than its own statement_timeout and a second, or
the deadline around the call; which of the two it was is told apart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from random import random
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import AsyncCursor
from psycopg.rows import AsyncRowFactory

from esteio import events
from esteio.policy._test_switches import pause_async
from esteio.postgres._attempts import Attempts, Trouble, trouble
from esteio.postgres._connection import Connection
from esteio.postgres._deadline import time_left
from esteio.postgres._errors import DatabaseUnavailable, is_connection_loss
from esteio.postgres._events import TransactionRetried

if TYPE_CHECKING:
    from esteio.postgres._database import Database
    from esteio.postgres._pool import Pool

__all__ = ["ATTEMPTS", "HUNG_SECONDS", "REFUSALS", "statement"]

ATTEMPTS = 100  # the time is what bounds them
REFUSALS = 10  # by a server that only reads, until the address leads to another
HUNG_SECONDS = 1.0  # what the server may take beyond its own limit


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
    plan: Attempts | None = None
    while True:
        pool, conn = await database.borrow(read_only, None)
        if database.dsn.statement_timeout:  # the pool looks after `cut_at` once a second
            conn.cut_at = database.clock.monotonic() + database.dsn.statement_timeout / 1000 + HUNG_SECONDS
        try:
            cursor = conn.cursor(row_factory=row_factory)
            await cursor.execute(sql, params)
            result = await fetch(cursor)
        except BaseException as error:
            kind = _ended(database, pool, conn, error)
            now = database.clock.monotonic()
            harmless = read_only or idempotent
            limit = time_left(database.dsn.pool_timeout)
            plan = plan or Attempts(ATTEMPTS if harmless else REFUSALS, now + limit, random)
            wait = plan.again(_repeatable(kind, harmless), now)
            if wait is None:
                if conn.is_cut and isinstance(error, psycopg.Error):
                    raise DatabaseUnavailable(database.name, "it did not answer in time: it hangs") from error
                database.in_our_words(error, kind)
                raise
        else:
            conn.cut_at = inf
            pool.release(conn)
            if not read_only:
                database.wrote(None)
            return result
        database.retried += 1
        if events.active():
            events.emit(TransactionRetried(database.name, plan.attempt, kind, wait))
        await pause_async(database.clock, wait)


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
