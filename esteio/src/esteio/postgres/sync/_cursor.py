# Generated from ../_cursor.py by tools/async_to_sync.py: change that file and run the tool.
"""Statements are counted and timed by the database's watch, and announced to their connection.

Promises: a failed or interrupted statement counts too; without a watch a cursor is what psycopg's is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import psycopg
from psycopg.abc import Params, Query
from psycopg.rows import Row

from esteio.postgres._watch import Announcing, Watch, Watched

__all__ = ["SyncCursor", "SyncServerCursor"]


class SyncCursor(Watched, psycopg.Cursor[Row]):
    """A psycopg cursor whose connection's `watch`, if it has one, sees its statements."""

    def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        """Run a statement."""
        conn = self._conn
        self.announce(query)
        watch: Watch | None = getattr(conn, "watch", None)
        if watch is None:
            return super().execute(query, params, prepare=prepare, binary=binary)  # type: ignore[arg-type,misc]
        began = watch.now()
        if conn._pipeline is not None:  # noqa: SLF001
            self._sent = (query, params, began)
            return super().execute(query, params, prepare=prepare, binary=binary)  # type: ignore[arg-type,misc]
        try:
            with conn.lock:  # as psycopg does it, without one more call for each statement
                conn.wait(self._execute_gen(query, params, prepare=prepare, binary=binary))
        except BaseException as error:
            watch.note(self, query, params, began, error)
            raise
        watch.note(self, query, params, began, None)
        return self

    def executemany(self, query: Query, params_seq: Iterable[Params], *, returning: bool = False) -> None:
        """Run a statement with each of `params_seq`; timed as one."""
        watch = self._watch
        if watch is None:
            return super().executemany(query, params_seq, returning=returning)
        began = watch.now()
        try:
            super().executemany(query, params_seq, returning=returning)
        except BaseException as error:
            watch.note(self, query, params_seq, began, error)
            raise
        watch.note(self, query, params_seq, began, None)
        return None


class SyncServerCursor(Announcing, psycopg.ServerCursor[Row]):
    """A psycopg cursor on the server, whose connection sees its statement."""
