"""One transaction on one connection, from BEGIN to a certain end.

Promises: the transaction's id is known before the first write, at the price of no round trip; a COMMIT
whose answer was lost ends as committed, as not committed (the driver's error), or as CommitUnknown - never
wrongly as either. A server that answers neither BEGIN nor COMMIT in time hangs, and is not waited for any
longer. The connection is back in its pool whatever happens.
"""

from __future__ import annotations

from math import inf

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult

from esteio.policy.deadline import detached
from esteio.postgres._attempts import ErrorKind, classify
from esteio.postgres._commands import (
    BEYOND_ROLLBACK,
    COMMIT,
    COMMIT_AND_LOCATE,
    Mode,
    begin_command,
    exchanged,
    location_in,
    origin_of,
    server_refused,
    tagging,
    xid_of,
)
from esteio.postgres._concurrency import INTERRUPTED
from esteio.postgres._connection import Connection
from esteio.postgres._deadline import LATE_SECONDS, time_left
from esteio.postgres._errors import CommitUnknown, first_line, is_connection_loss
from esteio.postgres._hosts import Role, Target
from esteio.postgres._outcome import Outcome, Ticket
from esteio.postgres._pool import Pool
from esteio.postgres._psycopg import WaitTimeout
from esteio.postgres._resolution import Resolver

__all__ = ["UNREPLICATED", "Transaction"]

UNREPLICATED = "the wait for its synchronous standby was cancelled: it is done, and lost if that server is lost now"

_ROLLBACK_SECONDS = 2.0


class Transaction:
    """A transaction that begins on `conn`, which was acquired from `pool`."""

    __slots__ = (
        "_begin_timeout",
        "_commit_timeout",
        "_locate",
        "_mode",
        "_resolver",
        "_target",
        "conn",
        "error_kind",
        "lsn",
        "outcome",
        "pool",
        "ticket",
    )

    def __init__(
        self,
        conn: Connection,
        pool: Pool,
        resolver: Resolver,
        target: Target,
        mode: Mode,
        *,
        begin_timeout: float,
        commit_timeout: float,
        locate: bool = False,
    ) -> None:
        self.conn = conn
        self.pool = pool
        self._resolver = resolver
        self._target = target
        self._mode = mode
        self._begin_timeout = begin_timeout
        self._commit_timeout = commit_timeout
        self._locate = locate
        self.ticket: Ticket | None = None
        self.lsn: int | None = None
        self.error_kind = ErrorKind.OTHER
        self.outcome = Outcome.RUNNING
        """UNKNOWN from the moment COMMIT is sent until it is known what became of it."""

    async def begin(self) -> None:
        """BEGIN, on a server that has the wanted role; the connection is given back when that fails."""
        conn = self.conn
        ask = conn.life is None and conn.knows_origin
        try:
            results = await self._exchange(begin_command(self._mode, ask) + tagging(conn))
            if not self._target.accepts(conn.role_now()):
                msg = f"the server has become a {conn.role_now()}"
                raise psycopg.errors.ReadOnlySqlTransaction(msg)
            if not self._mode.read_only:
                life, pid = origin_of(results[2], self._resolver.history) if ask else (conn.life, conn.pid)
                self.ticket = Ticket(xid_of(results[1]), life, pid)
        except BaseException as error:
            await self.roll_back(error)
            raise

    async def _exchange(self, command: bytes) -> list[PGresult]:
        conn = self.conn
        self.pool.bound_for(conn, self._begin_timeout)
        async with conn.lock:
            try:
                results = await conn.wait(exchanged(conn.pgconn, command))
            except psycopg.Error as error:
                self._refuse_hanging("BEGIN", self._begin_timeout, error)
                raise
        conn.cut_at = inf
        return results

    async def commit(self, expires: float = inf) -> None:
        """COMMIT; when its answer is lost, find out until monotonic second `expires` what became of it.

        The driver's error: nothing is committed. CommitUnknown: nobody knows.
        """
        self._refuse_halves()
        if self.conn.pgconn.transaction_status == TransactionStatus.UNKNOWN:
            lost = psycopg.OperationalError("the connection broke before COMMIT was sent")
            await self.roll_back(lost)
            raise lost
        self.outcome = Outcome.UNKNOWN
        try:
            results = await self._answer_to(COMMIT_AND_LOCATE if self._locate and self.ticket else COMMIT)
        except psycopg.Error as error:
            await self._unanswered(error, expires)
            return
        except BaseException:
            self.conn.drop()
            self._release()
            raise
        unreplicated, self.conn.unreplicated = self.conn.unreplicated, False
        self._release()
        if unreplicated:
            raise CommitUnknown(self._resolver.name, None if self.ticket is None else self.ticket.xid, UNREPLICATED)
        self.outcome = Outcome.COMMITTED
        self.lsn = location_in(results)

    async def _answer_to(self, commit: bytes) -> list[PGresult]:
        """Send COMMIT and wait for its answer, a little longer than the caller's deadline or its interruption.

        No request to cancel is sent: one that reached a server waiting for its synchronous standby would turn the wait
        into an acknowledgement of what the standby may not have.
        """
        conn = self.conn
        left = time_left(None)
        self.pool.bound_for(conn, self._commit_timeout)
        async with conn.lock:
            exchange = exchanged(conn.pgconn, commit, answers=1)
            try:
                return await conn.drive(exchange, None if left == inf else left + LATE_SECONDS)
            except INTERRUPTED:
                await self._late_answer(exchange)
                raise
            except WaitTimeout:
                conn.cut()  # before anybody takes this for the loss of the server
                raise
            except psycopg.Error as error:
                self._refuse_hanging("COMMIT", self._commit_timeout, error)
                raise

    async def _late_answer(self, exchange: PQGen[list[PGresult]]) -> None:
        """The answer may be here already, or come in a moment: then it is certain what became of the COMMIT."""
        if self.conn.is_cut:
            return
        try:
            await self.conn.drive(exchange, LATE_SECONDS)
        except psycopg.Error as error:
            if server_refused(error):
                self.outcome = Outcome.ABORTED
        else:
            if not self.conn.unreplicated:
                self.outcome = Outcome.COMMITTED

    def _refuse_hanging(self, command: str, seconds: float, error: psycopg.Error) -> None:
        """If the pool has cut the connection because nothing came, say so: the server hangs, for others as well."""
        if not self.pool.has_cut(self.conn):
            return
        hangs = psycopg.OperationalError(
            f"{command} was not answered within {seconds:g} s, so the server hangs; more is allowed by answer_timeout"
        )
        self.pool.invalidate(self.conn, str(hangs), silent=True)
        raise hangs from error

    async def roll_back(self, error: BaseException) -> None:
        """ROLLBACK after `error` and give the connection back, usable or not."""
        conn = self.conn
        try:
            self._judge(error)
            if conn.is_cut or is_connection_loss(error) or conn.pgconn.transaction_status in BEYOND_ROLLBACK:
                conn.drop()
            elif conn.pgconn.transaction_status != TransactionStatus.IDLE:
                self.pool.bound_for(conn, max(LATE_SECONDS, time_left(_ROLLBACK_SECONDS)))
                with detached():  # a caller whose deadline has passed must still get rid of the transaction
                    await conn.rollback()
        except psycopg.Error:
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
        self.error_kind = classify(error, role)
        if self.error_kind.ends_generation:
            self.pool.invalidate(self.conn, first_line(error))

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
        if self.error_kind.ends_generation:
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
