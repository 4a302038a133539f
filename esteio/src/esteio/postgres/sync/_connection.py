"""A blocking connection that knows whether it is still worth handing out.

Promises: what the connection of asyncio's pool promises of `stale` and `cut`. A statement that is interrupted
(Ctrl-C) is stopped on the server, or its connection closed, within ten seconds: psycopg's own rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import tuple_row

from esteio.postgres._connection import Remembered
from esteio.postgres.sync._cursor import SyncCursor

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn
    from psycopg.rows import RowFactory

__all__ = ["SyncConnection"]


class SyncConnection(Remembered, psycopg.Connection[Any]):
    """A psycopg connection with what its pool remembers about it; belongs to one thread at a time."""

    def __init__(self, pgconn: PGconn, row_factory: RowFactory[Any] = tuple_row) -> None:
        super().__init__(pgconn, row_factory)
        self.cursor_factory = SyncCursor
