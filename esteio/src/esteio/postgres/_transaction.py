"""One transaction on one connection, from BEGIN to a certain end.

Promises: the transaction's id is known before the first write, at the price of no round trip; a COMMIT
whose answer was lost ends as committed, as not committed (the driver's error), or as CommitUnknown - never
wrongly as either. The connection is back in its pool whatever happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, partial
from math import inf
from typing import TYPE_CHECKING

import psycopg
from psycopg import IsolationLevel, generators, waiting
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout, error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from esteio.policy.deadline import detached
from esteio.postgres._attempts import Trouble, trouble
from esteio.postgres._connection import Connection, Remembered
from esteio.postgres._deadline import LATE_SECONDS, time_left
from esteio.postgres._errors import CommitUnknown, first_line, is_connection_loss
from esteio.postgres._hosts import Role, Target
from esteio.postgres._identity import ORIGIN, read_origin
from esteio.postgres._outcome import History, Incarnation, Outcome
from esteio.postgres._pool import Pool
from esteio.postgres._replication import parse_lsn
from esteio.postgres._tag import current_tag, naming_command

if TYPE_CHECKING:
    from esteio.postgres._resolution import Resolver

__all__ = ["Mode", "Ticket", "Transaction"]

_ROLLBACK_SECONDS = 2.0
_INTERVAL = 0.1
_GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
COMMIT = b"COMMIT"
_COMMIT_AND_TELL = b"COMMIT; SELECT pg_current_wal_insert_lsn()"


@dataclass(frozen=True, slots=True)
class Mode:
    """How a transaction begins."""

    read_only: bool = False
    isolation: IsolationLevel | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is needed to find out later what became of a transaction."""

    xid: int
    life: Incarnation | None
    pid: int


class Transaction:
    """A transaction that begins on `conn`, which was acquired from `pool`."""

    __slots__ = (
        "_mode",
        "_resolver",
        "_target",
        "_tell",
        "conn",
        "lsn",
        "outcome",
        "pool",
        "ticket",
        "trouble",
    )

    def __init__(
        self, conn: Connection, pool: Pool, resolver: Resolver, target: Target, mode: Mode, *, tell: bool = False
    ) -> None:
        self.conn = conn
        self.pool = pool
        self._resolver = resolver
        self._target = target
        self._mode = mode
        self._tell = tell
        self.ticket: Ticket | None = None
        self.lsn: int | None = None
        self.trouble = Trouble.OTHER
        self.outcome = Outcome.RUNNING
        """UNKNOWN from the moment COMMIT is sent until it is known what became of it."""

    async def begin(self) -> None:
        """BEGIN, on a server that has the wanted role; the connection is given back when that fails."""
        conn = self.conn
        ask = conn.life is None and conn.knows_origin
        try:
            results = await _exchange(conn, begin_command(self._mode, ask) + tagging(conn))
            if not self._target.accepts(conn.role_now()):
                msg = f"the server has become a {conn.role_now()}"
                raise psycopg.errors.ReadOnlySqlTransaction(msg)
            if not self._mode.read_only:
                life, pid = origin_of(results[2], self._resolver.history) if ask else (conn.life, conn.pid)
                self.ticket = Ticket(xid_of(results[1]), life, pid)
        except BaseException as error:
            await self.roll_back(error)
            raise

    async def commit(self, expires: float = inf) -> None:
        """COMMIT; when its answer is lost, find out until monotonic second `expires` what became of it.

        The driver's error: nothing is committed. CommitUnknown: nobody knows.
        """
        self._refuse_halves()
        if self.conn.pgconn.transaction_status == TransactionStatus.UNKNOWN:
            error = psycopg.OperationalError("the connection broke before COMMIT was sent")
            await self.roll_back(error)
            raise error
        self.outcome = Outcome.UNKNOWN
        try:
            results = await self._answer_to(_COMMIT_AND_TELL if self._tell and self.ticket else COMMIT)
        except psycopg.Error as error:
            await self._unanswered(error, expires)
            return
        except BaseException:
            self.conn.drop()
            self._release()
            raise
        self.outcome = Outcome.COMMITTED
        if len(results) > 1 and results[1].status == ExecStatus.TUPLES_OK:
            self.lsn = parse_lsn(_text(results[1]))
        self._release()

    async def _answer_to(self, commit: bytes) -> list[PGresult]:
        """Send COMMIT and wait for its answer, a little longer than the caller's deadline or its cancellation.

        No request to cancel is sent: one that reached a server waiting for its synchronous standby would turn the wait
        into an acknowledgement of what the standby may not have.
        """
        conn = self.conn
        left = time_left(None)
        async with conn.lock:
            exchange = exchanged(conn.pgconn, commit, answers=1)
            wait = partial(waiting.wait_async, exchange, conn.pgconn.socket, interval=_INTERVAL)
            try:
                return await wait(timeout=None if left == inf else left + LATE_SECONDS)
            except asyncio.CancelledError:
                await self._late_answer(wait)
                raise
            except _WaitTimeout:
                conn.cut()  # before anybody takes this for the loss of the server
                raise

    async def _late_answer(self, wait: Callable[..., Awaitable[list[PGresult]]]) -> None:
        """The answer may be here already, or come in a moment: then it is certain what became of the COMMIT."""
        if self.conn.is_cut:
            return
        try:
            await wait(timeout=LATE_SECONDS)
        except psycopg.Error as error:
            if server_refused(error):
                self.outcome = Outcome.ABORTED
        else:
            self.outcome = Outcome.COMMITTED

    async def roll_back(self, error: BaseException) -> None:
        """ROLLBACK after `error` and give the connection back, usable or not."""
        conn = self.conn
        try:
            self._judge(error)
            if conn.is_cut or is_connection_loss(error) or conn.pgconn.transaction_status in BEYOND_ROLLBACK:
                conn.drop()
            elif conn.pgconn.transaction_status != TransactionStatus.IDLE:
                async with asyncio.timeout(max(LATE_SECONDS, time_left(_ROLLBACK_SECONDS))):
                    with detached():  # a caller whose deadline has passed must still get rid of the transaction
                        await conn.rollback()
        except (psycopg.Error, TimeoutError):
            conn.drop()
        except BaseException:
            conn.drop()
            raise
        finally:
            self._release()

    def _release(self) -> None:
        self.pool.release(self.conn)

    def _judge(self, error: BaseException) -> None:
        role = Role.PRIMARY if self._mode.read_only else self.conn.role_now()
        self.trouble = trouble(error, role)
        if self.trouble.ends_generation:
            self.pool.retire(self.conn, first_line(error))

    def _refuse_halves(self) -> None:
        """Raise when there is no whole transaction to commit: it would look like success."""
        status = self.conn.pgconn.transaction_status
        if status == TransactionStatus.INTRANS or status in BEYOND_ROLLBACK:
            return
        self.conn.drop()
        self._release()
        if status == TransactionStatus.INERROR:
            msg = (
                "a statement failed and its error was swallowed: the transaction is rolled back; use conn.transaction()"
            )
            raise psycopg.errors.InFailedSqlTransaction(msg)
        msg = "the block ended its own transaction; leave BEGIN, COMMIT and ROLLBACK to it"
        raise psycopg.ProgrammingError(msg)

    async def _unanswered(self, error: psycopg.Error, expires: float) -> None:
        self._judge(error)
        if self.trouble.ends_generation:
            self.conn.drop()
        self._release()
        if server_refused(error) or self.ticket is None:  # without a ticket there was nothing to commit
            self.outcome = Outcome.ABORTED
            raise error
        outcome, reason = await self._resolver.outcome(self.ticket, expires)
        if outcome is Outcome.ABORTED:
            self.outcome = outcome
            raise error
        if outcome is not Outcome.COMMITTED:
            raise CommitUnknown(self._resolver.name, self.ticket.xid, reason) from error
        self.outcome = outcome


BEYOND_ROLLBACK = (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN)


@cache
def begin_command(mode: Mode, ask: bool) -> bytes:
    """BEGIN and what is to be known at once, as one message."""
    begin = "BEGIN"
    if mode.isolation is not None:
        begin += f" ISOLATION LEVEL {mode.isolation.name.replace('_', ' ')}"
    if mode.read_only:
        return f"{begin} READ ONLY".encode()
    return f"{begin}; SELECT pg_current_xact_id()".encode() + (f"; {ORIGIN}".encode() if ask else b"")


def tagging(conn: Remembered) -> bytes:
    """What goes with BEGIN and holds until the end: limits the session lacks, and a name for the server's list."""
    tag = current_tag()
    return conn.limits + (naming_command(conn.watch.application, tag) if tag and conn.watch is not None else b"")


async def _exchange(conn: Connection, command: bytes) -> list[PGresult]:
    async with conn.lock:
        results: list[PGresult] = await conn.wait(exchanged(conn.pgconn, command))
        return results


def server_refused(error: psycopg.Error) -> bool:
    """Whether `error` is the server's own answer to COMMIT, so that nothing is committed.

    What libpq says of a broken connection has no SQLSTATE, whatever its words are.
    """
    return error.sqlstate is not None and not trouble(error).ends_generation


def exchanged(pgconn: PGconn, command: bytes, answers: int | None = None) -> PQGen[list[PGresult]]:
    """Send statements as one message; raises the error of one of the first `answers` results (None: of any)."""
    pgconn.send_query(command)
    results: list[PGresult] = yield from generators.execute(pgconn)
    for result in results[:answers]:
        if result.status not in _GOOD:
            raise error_from_result(result)
    return results


def _text(result: PGresult, column: int = 0) -> str:
    return (result.get_value(0, column) or b"").decode()


def xid_of(result: PGresult) -> int:
    return int(_text(result))


def origin_of(result: PGresult, history: History) -> tuple[Incarnation | None, int]:
    row = [_text(result, column) or None for column in range(result.nfields)]
    row[4] = row[4] or ""
    pid, life, start = read_origin(row)
    return (None if life is None else history.witness(life, start)), pid
