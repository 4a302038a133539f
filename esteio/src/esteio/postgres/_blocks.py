"""Blocks of a caller's own with a connection or a transaction: run once, whatever happens."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

import psycopg

from esteio.postgres._attempts import trouble
from esteio.postgres._connection import Connection
from esteio.postgres._errors import is_connection_loss
from esteio.postgres._transaction import Mode

if TYPE_CHECKING:
    from esteio.postgres._database import Database

__all__ = ["Borrowed", "InTransaction"]


class Borrowed:
    """A block with a connection; a class because that is half the cost of a generator."""

    __slots__ = ("_conn", "_database", "_pool", "_read_only", "_timeout")

    def __init__(self, database: Database, timeout: float | None, read_only: bool) -> None:
        self._database = database
        self._timeout = timeout
        self._read_only = read_only

    async def __aenter__(self) -> Connection:
        self._pool, self._conn = await self._database.borrow(self._read_only, self._timeout)
        return self._conn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._read_only:
            self._database.wrote(None)
        if error is None:
            self._pool.release(self._conn)
            return
        what = trouble(error, self._conn.role_now())
        if what.ends_generation:
            self._database.broke(self._pool, self._conn, error)
        if is_connection_loss(error):
            self._conn.drop()
        self._pool.release(self._conn)
        self._database.in_our_words(error, what)


class InTransaction:
    """A block in a transaction."""

    __slots__ = ("_database", "_mode", "_timeout", "_work")

    def __init__(self, database: Database, timeout: float | None, mode: Mode) -> None:
        self._database = database
        self._timeout = timeout
        self._mode = mode

    async def __aenter__(self) -> Connection:
        self._work = await self._database.transact(self._mode, self._timeout)
        try:
            await self._work.begin()
        except psycopg.Error as error:
            self._database.in_our_words(error, self._work.trouble)
            raise
        return self._work.conn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        try:
            if error is not None:
                await self._work.roll_back(error)
            else:
                await self._work.commit()
                self._database.wrote(self._work)
        except psycopg.Error as failure:
            self._database.in_our_words(failure, self._work.trouble)
            raise
        if isinstance(error, psycopg.Rollback):
            return True
        if error is not None:
            self._database.in_our_words(error, self._work.trouble)
        return False
