"""A connection for looking at a database: nothing about it changes how values are written as text.

Promises: waits for an answer are bounded (10 s to connect, unless the address says otherwise), statements are not;
a server that is away or lets us not in is a `DatabaseUnavailable` that says why, a statement it refuses a
`DatabaseRefused`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from esteio.backup._errors import DatabaseRefused
from esteio.postgres import DatabaseUnavailable, Dsn

__all__ = ["Connection", "connect", "of_primary", "of_standby", "one", "undisturbed"]

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


# Receives the log, and has replayed it but for less than 256 MB: a base of it is of now. Without whole pages in the log a
# base of a standby is not sound, and PostgreSQL refuses it.
_FOLLOWS = """SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver) AND coalesce(pg_catalog.pg_wal_lsn_diff(
    pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()), 0) < 268435456
    AND (SELECT full_page_writes FROM pg_catalog.pg_control_checkpoint())"""


def of_primary(dsn: Dsn) -> Dsn:
    """`dsn`, and of several hosts the one that takes writes: slots, locks and the newest data are there."""
    parameters = dict(dsn.parameters)
    if len(dsn.hosts) > 1:
        parameters.setdefault("target_session_attrs", "read-write")
    return dsn.with_(parameters=tuple(parameters.items()))


def of_standby(dsn: Dsn) -> Dsn:
    """Of several hosts one standby that follows closely, so that the primary has less to do; else `dsn` as it is."""
    if len(dsn.hosts) < 2:
        return dsn
    parameters = {**dict(dsn.parameters), "target_session_attrs": "standby"}
    with suppress(DatabaseUnavailable), connect(dsn.with_(parameters=tuple(parameters.items()))) as conn:
        if one(conn, _FOLLOWS):
            del parameters["target_session_attrs"]
            # All that a backup asks has to be of one server.
            return dsn.with_(hosts=((conn.info.host, conn.info.port),), parameters=tuple(parameters.items()))
    return dsn


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
