"""What a running server has written is in the archive before it is restored; and nothing is written to it from here on.

Promises of `standstill`: what was acknowledged before a restore to the last moment is in what is restored. Closing the
service is not enough for that: a request may have passed the switch, and commit after the WAL was read. So a session
locks all tables against writing: it waits for those who write to commit, and readers go on. Who does not end in time is
ended, and was never acknowledged. The locks end with the session, so with this process, however it ends. Then the
segment that the server writes is completed, and awaited in the archive.

Nothing is asked of a server that does not answer, that is another cluster, or whose WAL nobody keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psycopg
from psycopg import sql

from esteio.backup._details import DetailCode
from esteio.backup._errors import RestoreRefused
from esteio.backup._session import Connection, one
from esteio.backup.cluster._cluster import ClusterBackups
from esteio.clock import Clock
from esteio.postgres.embedded import Embedded

__all__ = ["APPLICATION", "caught_up", "standstill"]

APPLICATION = "esteio restore"
"""The application name of the sessions that hold the locks."""

_PATIENCE = 5000  # milliseconds for those who write a table
_TRIES = 3
_ARRIVAL = 30.0  # seconds for the receiver to have the last segment; it has it at once, or is not there
_POLL = 0.1
_SETTINGS = f"-c lock_timeout={_PATIENCE} -c statement_timeout=0 -c idle_in_transaction_session_timeout=0"
_DATABASES = "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"
_TABLES = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY c.oid"""
# Of ordinary tables, every lock that ours does not go with.
_END_WRITERS = """
SELECT pg_catalog.pg_terminate_backend(l.pid) FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
WHERE l.locktype = 'relation' AND l.relation >= 16384 AND l.granted AND l.pid <> pg_catalog.pg_backend_pid()
AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'ShareLock')"""


@contextmanager
def standstill(cluster: ClusterBackups, server: Embedded, name: str, system: str, clock: Clock) -> Iterator[None]:
    """Keep everybody from writing to `server` within the block, which begins when the archive has all that was written.

    `system` is the cluster that is to be restored. RestoreRefused, about `name`, when the tables can't be locked, or when
    the WAL does not arrive.
    """
    with ExitStack() as sessions:
        if server.adopt() and cluster.keeps_wal(system):
            # What a server says that answers is a RestoreRefused by now; any other error is of one that is away or broken,
            # which is why it is replaced: it acknowledges nothing that could be lost.
            with suppress(psycopg.Error):
                last = _last_segment(_lock(sessions, server, name), system)
                _await(cluster, system, last, name, clock)
        yield


def caught_up(cluster: ClusterBackups, server: Embedded, name: str, system: str, clock: Clock) -> bool:
    """Whether the archive has, now, all that `server` had written; False where it can't be asked, or nobody keeps its WAL.

    A receiver that was away for a moment is behind by seconds, and the moment that a person names may be among them.
    RestoreRefused, about `name`, when the WAL does not arrive.
    """
    if not server.adopt() or not cluster.keeps_wal(system):
        return False
    try:
        with ExitStack() as sessions:
            last = _last_segment(_session(sessions, server, "postgres"), system)
    except psycopg.Error:
        return False
    _await(cluster, system, last, name, clock)
    return bool(last)


def _lock(sessions: ExitStack, server: Embedded, name: str) -> Connection:
    """Lock the tables of every database in a session of its own; a session that may ask anything."""
    asking = _session(sessions, server, "postgres")
    for (database,) in asking.execute(_DATABASES).fetchall():
        conn = _session(sessions, server, database)
        for attempt in range(_TRIES):
            try:
                conn.execute("BEGIN")
                for schema, table in conn.execute(_TABLES).fetchall():
                    conn.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier(schema, table)))
                break
            except (
                psycopg.errors.LockNotAvailable,
                psycopg.errors.DeadlockDetected,  # somebody writes two tables in the other order
                psycopg.errors.UndefinedTable,  # dropped since the list was read
                psycopg.errors.OutOfMemory,  # more tables than max_locks_per_transaction leaves room for
            ) as error:
                conn.execute("ROLLBACK")
                if attempt == _TRIES - 1:
                    reason = DetailCode.NOT_LOCKED(database=database, error=" ".join(str(error).split()))
                    raise RestoreRefused(name, reason, DetailCode.END_WRITERS()) from error
                if isinstance(error, psycopg.errors.LockNotAvailable):
                    conn.execute(_END_WRITERS)
    return asking


def _session(sessions: ExitStack, server: Embedded, database: str) -> Connection:
    conn = psycopg.connect(
        server.dsn(database).conninfo,
        autocommit=True,
        connect_timeout=2,
        application_name=APPLICATION,
        options=_SETTINGS,
    )
    sessions.callback(conn.close)
    return conn


def _last_segment(conn: Connection, system: str) -> str:
    """Complete the segment that is being written; its file's name, empty when the server is another cluster."""
    if one(conn, "SELECT system_identifier::text FROM pg_catalog.pg_control_system()") != system:
        return ""
    # A record of our own: without one since the last switch there is no segment to complete.
    point = "pg_catalog.pg_walfile_name(pg_catalog.pg_create_restore_point('esteio_restore'))"
    name = one(conn, f"SELECT {point}")
    conn.execute("SELECT pg_catalog.pg_switch_wal()")
    return str(name)


def _await(cluster: ClusterBackups, system: str, segment: str, name: str, clock: Clock) -> None:
    deadline = clock.monotonic() + _ARRIVAL
    while segment and not cluster.has_segment(system, segment):
        if clock.monotonic() >= deadline:
            reason = DetailCode.WAL_NOT_ARRIVED(segment=segment, seconds=round(_ARRIVAL))
            raise RestoreRefused(name, reason, DetailCode.RECEIVE_OR_NAME_MOMENT())
        clock.sleep(_POLL)
