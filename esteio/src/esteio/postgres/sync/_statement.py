# Generated from ../_statement.py by tools/async_to_sync.py: change that file and run the tool.
"""One statement outside of any transaction.

Promises: it is sent once, unless the server refused it because it only reads, or the caller said that it may
be repeated. A server that has hung is not waited for longer than its own statement_timeout and a second, or
the deadline around the call; which of the two it was is told apart.
"""

from __future__ import annotations

from collections.abc import Callable
from random import random
from typing import Any

import psycopg
from psycopg import Cursor
from psycopg.rows import RowFactory

from esteio.policy._test_switches import pause
from esteio.postgres._attempts import Attempts, ErrorKind
from esteio.postgres._deadline import time_left
from esteio.postgres._errors import DatabaseUnavailable
from esteio.postgres.sync._core import HUNG_SECONDS, Core

__all__ = ["statement"]

_ATTEMPTS = 100  # the time is what bounds them
_REFUSALS = 10  # by a server that only reads, until the address leads to another


def statement(
    core: Core,
    sql: Any,
    params: Any,
    row_factory: RowFactory[Any],
    fetch: Callable[[Cursor[Any]], Any],
    read_only: bool,
    idempotent: bool,
) -> Any:
    """Execute `sql` and return what `fetch` makes of its cursor."""
    plan: Attempts | None = None
    harmless = read_only or idempotent
    while True:
        pool, conn = core.borrow(read_only, None)
        if core.dsn.statement_timeout:
            pool.bound_for(conn, core.dsn.statement_timeout / 1000 + HUNG_SECONDS)
        try:
            cursor = conn.cursor(row_factory=row_factory)
            cursor.execute(sql, params)
            result = fetch(cursor)
        except BaseException as error:
            hung = conn.is_cut
            kind = core.ended(pool, conn, error)
            now = core.clock.monotonic()
            plan = plan or Attempts(
                _ATTEMPTS if harmless else _REFUSALS, now + time_left(core.dsn.pool_timeout), random
            )
            wait = plan.again(kind if harmless or kind.before_it_ran else ErrorKind.OTHER, now)
            if wait is None:
                if hung and isinstance(error, psycopg.Error):
                    raise DatabaseUnavailable(core.name, "it did not answer in time: it hangs") from error
                core.raise_translated(error, kind)
                raise
        else:
            pool.release(conn)
            core.require_replicated(conn)
            if not read_only:
                core.wrote(None)
            return result
        core.count_retry(plan.attempt, kind, wait)
        pause(core.clock, wait)
