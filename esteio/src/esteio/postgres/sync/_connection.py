"""A blocking connection that knows whether it is still worth handing out.

Promises: what the connection of asyncio's pool promises of `stale` and `cut`, and of the caller's deadline: a statement
that is still running then is stopped on the server, or its connection closed, within a quarter of a second, and ends in
DeadlineExceeded. One that is interrupted (Ctrl-C) is stopped within ten seconds: psycopg's own rule.
"""

from __future__ import annotations

from contextlib import suppress
from math import inf
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import generators, waiting
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from esteio.policy._scope import SCOPE
from esteio.postgres._connection import Remembered
from esteio.postgres._deadline import LATE_SECONDS
from esteio.postgres.sync._cursor import SyncCursor, SyncServerCursor

if TYPE_CHECKING:
    from psycopg.pq.abc import PGcancelConn, PGconn
    from psycopg.rows import RowFactory

__all__ = ["SyncConnection"]

_Result = TypeVar("_Result")

_INTERVAL = 0.1
_CANCEL_AGAIN = 0.1
_CANCEL_SECONDS = 1.0
_wait = psycopg.Connection.wait


class SyncConnection(Remembered, psycopg.Connection[Any]):
    """A psycopg connection with what its pool remembers about it; belongs to one thread at a time."""

    def __init__(self, pgconn: PGconn, row_factory: RowFactory[Any] = tuple_row) -> None:
        super().__init__(pgconn, row_factory)
        self.cursor_factory = SyncCursor
        self.server_cursor_factory = SyncServerCursor

    def wait(self, gen: PQGen[_Result], interval: float = _INTERVAL, timeout: float | None = None) -> _Result:
        """Drive a driver's operation to its end; DeadlineExceeded when the caller's deadline comes first."""
        self.look_at(gen)
        expires, now, _ = SCOPE.get()
        if expires == inf:
            return _wait(self, gen, interval, timeout)
        left = expires - now()
        if left <= 0:
            raise self.late()
        if timeout is not None and timeout <= left:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, left)
        except _WaitTimeout as error:
            self._stop_statement(gen)
            raise self.late() from error

    def abandon(self) -> None:
        """End it now, as `cut` does, and ask the server to end what it still works on, without waiting for that."""
        with suppress(psycopg.Error, RuntimeError):  # no thread to be had: then it only ends
            Thread(target=_send, args=(self.pgconn.cancel_conn(),), name="esteio: cancel", daemon=True).start()
        self.cut()

    def _stop_statement(self, gen: PQGen[Any]) -> None:
        # A request that overtakes its statement is ignored by the server, so it is asked again.
        ends = monotonic() + LATE_SECONDS
        try:
            while self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                if (left := ends - monotonic()) <= 0:
                    self.drop()
                    return
                self.cancel_safe(timeout=left)
                with suppress(psycopg.OperationalError):  # cancelled as wanted, or not yet
                    waiting.wait(gen, self.pgconn.socket, interval=_INTERVAL, timeout=min(_CANCEL_AGAIN, left))
        except psycopg.OperationalError:
            self.drop()
        except BaseException:
            self.drop()  # interrupted by Ctrl-C: nobody knows what the statement is doing
            raise


def _send(request: PGcancelConn) -> None:
    """Send a request to cancel; nobody waits for it, so a server that does not take it has a second."""
    with suppress(psycopg.Error):
        request.start()
        waiting.wait_conn(generators.cancel(request), interval=_INTERVAL, timeout=_CANCEL_SECONDS)
