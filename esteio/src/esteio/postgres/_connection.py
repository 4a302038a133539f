"""One connection of a pool, and how its borrower waits for the server.

Promises: an interrupted statement is stopped on the server, or its connection closed, within a second; so is one whose
caller's deadline passes, which ends in DeadlineExceeded within a quarter of a second. Nothing is sent once the deadline
has passed.
"""

from __future__ import annotations

from contextlib import suppress
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import generators
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import AsyncRowFactory, tuple_row

from esteio.policy._scope import SCOPE
from esteio.postgres._concurrency import INTERRUPTED, SocketWait, Worker, wait_to_connect
from esteio.postgres._cursor import Cursor, ServerCursor
from esteio.postgres._deadline import LATE_SECONDS, time_left
from esteio.postgres._pooled import PooledConnectionMixin
from esteio.postgres._psycopg import WaitTimeout

if TYPE_CHECKING:
    from psycopg.pq.abc import PGcancelConn, PGconn

__all__ = ["Connection"]

_Result = TypeVar("_Result")

_INTERVAL = 0.1
_CANCEL_SECONDS = 1.0
_CANCEL_AGAIN = 0.1
_GRACE = 0.04  # a policy or `run` with the same deadline cancels first: two that stop a statement disturb each other


class Connection(SocketWait, PooledConnectionMixin, psycopg.AsyncConnection[Any]):
    """A psycopg connection with what its pool knows about it; one borrower at a time has it."""

    def __init__(self, pgconn: PGconn, row_factory: AsyncRowFactory[Any] = tuple_row) -> None:
        super().__init__(pgconn, row_factory)
        self.cursor_factory = Cursor
        self.server_cursor_factory = ServerCursor
        self.heed_notices()

    async def wait(self, gen: PQGen[_Result], interval: float = _INTERVAL, timeout: float | None = None) -> _Result:  # noqa: ARG002 - psycopg's signature
        """Drive a driver's operation to its end; DeadlineExceeded when the caller's deadline comes first."""
        self.look_at(gen)
        expires, now, _ = SCOPE.get()
        if expires != inf:
            left = expires - now()
            if left <= 0:
                raise self.late()
            if timeout is None or left < timeout:
                return await self._wait_until_deadline(gen, left)
        try:
            return await self.drive(gen, timeout)
        except INTERRUPTED:
            await self._stop_statement(gen)
            raise

    async def _wait_until_deadline(self, gen: PQGen[_Result], left: float) -> _Result:
        try:
            return await self.drive(gen, left + _GRACE)
        except INTERRUPTED:
            await self._stop_statement(gen)
            raise
        except WaitTimeout as error:
            await self._stop_statement(gen)
            raise self.late() from error

    def abandon(self) -> None:
        """End it now, as `cut` does, and ask the server to end what it still works on, without waiting for that."""
        with suppress(psycopg.Error, RuntimeError):  # no thread to be had: then it only ends
            Worker("esteio: cancel").start(_send, self.pgconn.cancel_conn())
        self.cut()

    async def _stop_statement(self, gen: PQGen[Any]) -> None:
        # The driver's own way asks once and waits for five seconds; but a request that overtakes its
        # statement is ignored by the server, so it is asked again.
        ends = monotonic() + max(LATE_SECONDS, time_left(_CANCEL_SECONDS))
        try:
            while self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                left = ends - monotonic()
                if left <= 0 or self.is_cut:
                    self._give_up(gen)
                    return
                await self.cancel_safe(timeout=left)
                with suppress(psycopg.OperationalError):  # cancelled as wanted, or not yet
                    await self.drive(gen, min(_CANCEL_AGAIN, left))
        except psycopg.OperationalError:
            self._give_up(gen)
        except BaseException:
            self._give_up(gen)  # interrupted again: nobody knows what the statement is doing
            raise

    def _give_up(self, gen: PQGen[Any]) -> None:
        """Close the connection, and let the operation end: the garbage collector could not report how it does."""
        self.drop()
        with suppress(StopIteration, psycopg.Error):
            gen.throw(psycopg.OperationalError("the connection was closed, as its statement could not be stopped"))


async def _send(request: PGcancelConn) -> None:
    """Send a request to cancel; nobody waits for it, so a server that does not take it has a second."""
    with suppress(psycopg.Error):
        request.start()
        await wait_to_connect(generators.cancel(request), _CANCEL_SECONDS)
