"""What a transaction says to its server, and what the answers mean. Pure, but for what psycopg's generators do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import psycopg
from psycopg import IsolationLevel, generators
from psycopg.abc import PQGen
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from esteio.postgres._attempts import classify
from esteio.postgres._identity import ORIGIN, read_origin
from esteio.postgres._outcome import History, Incarnation
from esteio.postgres._pooled import PooledConnectionMixin
from esteio.postgres._replication import parse_lsn
from esteio.postgres._tag import current_tag, naming_command

__all__ = [
    "BEYOND_ROLLBACK",
    "COMMIT",
    "COMMIT_AND_LOCATE",
    "Mode",
    "begin_command",
    "exchanged",
    "location_in",
    "origin_of",
    "server_refused",
    "tagging",
    "xid_of",
]

COMMIT = b"COMMIT"
COMMIT_AND_LOCATE = b"COMMIT; SELECT pg_current_wal_insert_lsn()"
BEYOND_ROLLBACK = (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN)
_GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


@dataclass(frozen=True, slots=True)
class Mode:
    """How a transaction begins."""

    read_only: bool = False
    isolation: IsolationLevel | None = None


@cache
def begin_command(mode: Mode, ask: bool) -> bytes:
    """BEGIN and what is to be known at once, as one message."""
    begin = "BEGIN"
    if mode.isolation is not None:
        begin += f" ISOLATION LEVEL {mode.isolation.name.replace('_', ' ')}"
    if mode.read_only:
        return f"{begin} READ ONLY".encode()
    return f"{begin}; SELECT pg_current_xact_id()".encode() + (f"; {ORIGIN}".encode() if ask else b"")


def tagging(conn: PooledConnectionMixin) -> bytes:
    """What goes with BEGIN and holds until the end: limits the session lacks, and a name for the server's list."""
    tag = current_tag()
    return conn.limits + (naming_command(conn.watch.application, tag) if tag and conn.watch is not None else b"")


def server_refused(error: psycopg.Error) -> bool:
    """Whether `error` is the server's own answer to COMMIT, so that nothing is committed.

    What libpq says of a broken connection has no SQLSTATE, whatever its words are.
    """
    return error.sqlstate is not None and not classify(error).ends_generation


def exchanged(pgconn: PGconn, command: bytes, answers: int | None = None) -> PQGen[list[PGresult]]:
    """Send statements as one message; raises the error of one of the first `answers` results (None: of any)."""
    pgconn.send_query(command)
    results: list[PGresult] = yield from generators.execute(pgconn)
    for result in results[:answers]:
        if result.status not in _GOOD:
            raise error_from_result(result)
    return results


def location_in(results: list[PGresult]) -> int | None:
    """Where in the log the COMMIT lies that was answered by `results`, if that was asked for and may be known."""
    if len(results) < 2 or results[1].status != ExecStatus.TUPLES_OK:
        return None
    return parse_lsn(_text(results[1]))


def _text(result: PGresult, column: int = 0) -> str:
    return (result.get_value(0, column) or b"").decode()


def xid_of(result: PGresult) -> int:
    """The number of the transaction, from the second result of its BEGIN."""
    return int(_text(result))


def origin_of(result: PGresult, history: History) -> tuple[Incarnation | None, int]:
    """The life of the server and the process that answered `ORIGIN`."""
    row = [_text(result, column) or None for column in range(result.nfields)]
    row[4] = row[4] or ""
    pid, life, start = read_origin(row)
    return (None if life is None else history.witness(life, start)), pid
