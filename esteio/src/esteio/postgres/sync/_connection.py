"""A blocking connection that knows whether it is still worth handing out.

Promises: what the connection of asyncio's pool promises of `stale` and `cut`. A statement that is interrupted
(Ctrl-C) is stopped on the server, or its connection closed, within ten seconds: psycopg's own rule.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import generators, waiting
from psycopg.rows import tuple_row

from esteio.postgres._connection import Remembered
from esteio.postgres.sync._cursor import SyncCursor

if TYPE_CHECKING:
    from psycopg.pq.abc import PGcancelConn, PGconn
    from psycopg.rows import RowFactory

__all__ = ["SyncConnection"]

_INTERVAL = 0.1
_CANCEL_SECONDS = 1.0


class SyncConnection(Remembered, psycopg.Connection[Any]):
    """A psycopg connection with what its pool remembers about it; belongs to one thread at a time."""

    def __init__(self, pgconn: PGconn, row_factory: RowFactory[Any] = tuple_row) -> None:
        super().__init__(pgconn, row_factory)
        self.cursor_factory = SyncCursor

    def abandon(self) -> None:
        """End it now, as `cut` does, and ask the server to end what it still works on, without waiting for that."""
        with suppress(psycopg.Error):
            Thread(target=_send, args=(self.pgconn.cancel_conn(),), name="esteio: cancel", daemon=True).start()
        self.cut()


def _send(request: PGcancelConn) -> None:
    """Send a request to cancel; nobody waits for it, so a server that does not take it has a second."""
    with suppress(psycopg.Error):
        request.start()
        waiting.wait_conn(generators.cancel(request), interval=_INTERVAL, timeout=_CANCEL_SECONDS)
