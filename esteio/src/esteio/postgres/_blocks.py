"""Blocks of a caller's own with a connection or a transaction: run once, whatever happens."""

from __future__ import annotations

from types import TracebackType

import psycopg

from esteio.postgres._commands import Mode
from esteio.postgres._connection import Connection
from esteio.postgres._core import Core

__all__ = ["Borrowed", "InTransaction"]


class Borrowed:
    """A block with a connection; a class because that is half the cost of a generator."""

    __slots__ = ("_conn", "_core", "_even_stale", "_pool", "_read_only", "_timeout")

    def __init__(self, core: Core, timeout: float | None, read_only: bool, even_stale: bool = False) -> None:
        self._core = core
        self._timeout = timeout
        self._read_only = read_only
        self._even_stale = even_stale

    async def __aenter__(self) -> Connection:
        self._pool, self._conn = await self._core.borrow(self._read_only, self._timeout, self._even_stale)
        return self._conn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._core.replicas.exist and not self._read_only:
            self._core.wrote(None)
        if error is None:
            self._pool.release(self._conn)
            self._core.require_replicated(self._conn)
            return
        what = self._core.ended(self._pool, self._conn, error)
        self._core.raise_translated(error, what)


class InTransaction:
    """A block in a transaction."""

    __slots__ = ("_core", "_mode", "_timeout", "_work")

    def __init__(self, core: Core, timeout: float | None, mode: Mode) -> None:
        self._core = core
        self._timeout = timeout
        self._mode = mode

    async def __aenter__(self) -> Connection:
        self._work = await self._core.transact(self._mode, self._timeout)
        try:
            await self._work.begin()
        except psycopg.Error as error:
            self._core.raise_translated(error, self._work.error_kind)
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
                self._core.wrote(self._work)
        except psycopg.Error as failure:
            self._core.raise_translated(failure, self._work.error_kind)
            raise
        if isinstance(error, psycopg.Rollback):
            return True
        if error is not None:
            self._core.raise_translated(error, self._work.error_kind)
        return False
