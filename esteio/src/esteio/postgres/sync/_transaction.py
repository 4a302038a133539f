"""One transaction on one blocking connection, from BEGIN to a certain end.

Promises: what asyncio's transaction promises: its id is known before the first write, at the price of no round trip; a
COMMIT whose answer was lost ends as committed, as not committed (the driver's error), or as CommitUnknown - never
wrongly as either. The connection is back in its pool whatever happens.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import psycopg
from psycopg import waiting
from psycopg.errors import _WaitTimeout
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult

from esteio.clock import Clock
from esteio.policy.deadline import detached
from esteio.postgres._attempts import Trouble, trouble
from esteio.postgres._deadline import LATE_SECONDS, time_left
from esteio.postgres._errors import CommitUnknown, first_line, is_connection_loss
from esteio.postgres._hosts import Role, Target
from esteio.postgres._outcome import Outcome
from esteio.postgres._transaction import (
    BEYOND_ROLLBACK,
    COMMIT,
    Mode,
    Ticket,
    begin_command,
    exchanged,
    origin_of,
    server_refused,
    tagging,
    xid_of,
)
from esteio.postgres.sync._connection import SyncConnection
from esteio.postgres.sync._pool import SyncPool

if TYPE_CHECKING:
    from esteio.postgres.sync._resolution import SyncResolver

__all__ = ["SyncTransaction"]

_ROLLBACK_SECONDS = 2.0
_INTERVAL = 0.1


class SyncTransaction:
    """A transaction that begins on `conn`, which was acquired from `pool`."""

    __slots__ = ("_clock", "_mode", "_pool", "_resolver", "_target", "conn", "outcome", "ticket", "trouble")

    def __init__(
        self, conn: SyncConnection, pool: SyncPool, resolver: SyncResolver, target: Target, mode: Mode, clock: Clock
    ) -> None:
        self.conn = conn
        self._pool = pool
        self._resolver = resolver
        self._target = target
        self._mode = mode
        self._clock = clock
        self.ticket: Ticket | None = None
        self.trouble = Trouble.OTHER
        self.outcome = Outcome.RUNNING
        """UNKNOWN from the moment COMMIT is sent until it is known what became of it."""

    def begin(self) -> None:
        """BEGIN, on a server that has the wanted role; the connection is given back when that fails."""
        conn = self.conn
        ask = conn.life is None and conn.knows_origin
        try:
            results = _exchange(conn, begin_command(self._mode, ask) + tagging(conn))
            if not self._target.accepts(conn.role_now()):
                msg = f"the server has become a {conn.role_now()}"
                raise psycopg.errors.ReadOnlySqlTransaction(msg)
            if not self._mode.read_only:
                life, pid = origin_of(results[2], self._resolver.history) if ask else (conn.life, conn.pid)
                self.ticket = Ticket(xid_of(results[1]), life, pid)
        except BaseException as error:
            self.roll_back(error)
            raise

    def commit(self, expires: float = inf) -> None:
        """COMMIT; when its answer is lost, find out until monotonic second `expires` what became of it.

        The driver's error: nothing is committed. CommitUnknown: nobody knows.
        """
        self._refuse_halves()
        if self.conn.pgconn.transaction_status == TransactionStatus.UNKNOWN:
            lost = psycopg.OperationalError("the connection broke before COMMIT was sent")
            self.roll_back(lost)
            raise lost
        self.outcome = Outcome.UNKNOWN
        try:
            self._answer_to(COMMIT)
        except psycopg.Error as error:
            self._unanswered(error, expires)
            return
        except BaseException:
            self.conn.drop()
            self._give_back()
            raise
        self.outcome = Outcome.COMMITTED
        self._give_back()

    def _answer_to(self, commit: bytes) -> None:
        """Send COMMIT and wait for its answer, a little longer than the caller's deadline.

        No request to cancel is sent: one that reached a server waiting for its synchronous standby would turn the wait
        into an acknowledgement of what the standby may not have.
        """
        conn = self.conn
        left = time_left(None)
        with conn.lock:
            exchange = exchanged(conn.pgconn, commit, answers=1)
            try:
                waiting.wait(
                    exchange,
                    conn.pgconn.socket,
                    interval=_INTERVAL,
                    timeout=None if left == inf else left + LATE_SECONDS,
                )
            except _WaitTimeout:
                conn.cut()  # before anybody takes this for the loss of the server
                raise

    def roll_back(self, error: BaseException) -> None:
        """ROLLBACK after `error` and give the connection back, usable or not."""
        conn = self.conn
        try:
            self._judge(error)
            if conn.is_cut or is_connection_loss(error) or conn.pgconn.transaction_status in BEYOND_ROLLBACK:
                conn.drop()
            elif conn.pgconn.transaction_status != TransactionStatus.IDLE:
                limit = max(LATE_SECONDS, time_left(_ROLLBACK_SECONDS))
                self._pool.bound(conn, self._clock.monotonic() + limit)
                with detached():  # a caller whose deadline has passed must still get rid of the transaction
                    conn.rollback()
        except psycopg.Error:
            conn.drop()
        except BaseException:
            conn.drop()
            raise
        finally:
            self._give_back()

    def _judge(self, error: BaseException) -> None:
        role = Role.PRIMARY if self._mode.read_only else self.conn.role_now()
        self.trouble = trouble(error, role)
        if self.trouble.ends_generation:
            self._pool.retire(self.conn, first_line(error))

    def _give_back(self) -> None:
        self._pool.release(self.conn)

    def _refuse_halves(self) -> None:
        """Raise when there is no whole transaction to commit: it would look like success."""
        status = self.conn.pgconn.transaction_status
        if status == TransactionStatus.INTRANS or status in BEYOND_ROLLBACK:
            return
        self.conn.drop()
        self._give_back()
        if status == TransactionStatus.INERROR:
            msg = (
                "a statement failed and its error was swallowed: the transaction is rolled back; use conn.transaction()"
            )
            raise psycopg.errors.InFailedSqlTransaction(msg)
        msg = "the block ended its own transaction; leave BEGIN, COMMIT and ROLLBACK to it"
        raise psycopg.ProgrammingError(msg)

    def _unanswered(self, error: psycopg.Error, expires: float) -> None:
        self._judge(error)
        if self.trouble.ends_generation:
            self.conn.drop()
        self._give_back()
        if server_refused(error) or self.ticket is None:  # without a ticket there was nothing to commit
            self.outcome = Outcome.ABORTED
            raise error
        outcome, reason = self._resolver.outcome(self.ticket, expires)
        if outcome is Outcome.ABORTED:
            self.outcome = outcome
            raise error
        if outcome is not Outcome.COMMITTED:
            raise CommitUnknown(self._resolver.name, self.ticket.xid, reason) from error
        self.outcome = outcome


def _exchange(conn: SyncConnection, command: bytes) -> list[PGresult]:
    with conn.lock:
        return conn.wait(exchanged(conn.pgconn, command))
