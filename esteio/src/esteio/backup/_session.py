"""A connection for looking at a database: nothing about it changes how values are written as text.

Promises: waits for an answer are bounded (10 s to connect, unless the address says otherwise), statements are not;
a server that is away or lets us not in is a `DatabaseUnavailable` that says why, a statement it refuses a
`DatabaseRefused`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg

from esteio.backup._errors import DatabaseRefused
from esteio.postgres import DatabaseUnavailable, Dsn

__all__ = ["Connection", "connect", "one", "undisturbed"]

Connection = psycopg.Connection[tuple[Any, ...]]

_CONNECT_TIMEOUT = "10"
_SETTINGS = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "row_security": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",  # we are not the only ones there
    # Values as text are compared between servers, so nothing of a server's or a role's taste may be in them.
    "search_path": "pg_catalog",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
}


@contextmanager
def connect(dsn: Dsn) -> Iterator[Connection]:
    """An autocommit connection; DatabaseUnavailable when there is none to be had or it is lost, DatabaseRefused."""
    parameters = dict(dsn.parameters)
    parameters.setdefault("connect_timeout", _CONNECT_TIMEOUT)
    dsn = dsn.with_(parameters=tuple(parameters.items()))
    try:
        with psycopg.connect(dsn.conninfo, autocommit=True, application_name="esteio backup") as conn:
            for name, value in _SETTINGS.items():
                conn.execute("SELECT pg_catalog.set_config(%s, %s, false)", [name, value])
            yield conn
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatabaseUnavailable(dsn.masked, reason, sqlstate=error.sqlstate, retry_after=None) from error
    except psycopg.Error as error:
        raise DatabaseRefused(dsn.masked, " ".join(str(error).split())) from error


def one(conn: Connection, statement: Any, parameters: Any = None) -> Any:
    """The first column of the first row, None when there is no row."""
    row = conn.execute(statement, parameters).fetchone()
    return None if row is None else row[0]


def undisturbed(call: Callable[[], object]) -> None:
    """Run `call` to its end in a thread of its own; an interrupt is raised only afterwards.

    A statement that is interrupted may still be carried out by the server, and nobody would know.
    """
    with ThreadPoolExecutor(1, "esteio undisturbed") as pool:
        pool.submit(call).result()
