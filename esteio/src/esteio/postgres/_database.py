"""A PostgreSQL database as a service sees it.

Promises: opening never fails because the server is away; a connection is autocommit, its limits
(statement, lock, idle transaction) are set on the session, so the server itself enforces them; what a
caller can react to arrives as `DatabaseUnavailable`, `PoolExhausted`, `StatementTimeout` or
`SerializationConflict`, every other driver error unchanged. After an outage it serves again within half a
second of the server's return. A block is never run twice by itself.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from psycopg import AsyncTransaction
from psycopg.abc import QueryNoTemplate
from psycopg.rows import AsyncRowFactory, TupleRow, tuple_row

from esteio.clock import SYSTEM, Clock
from esteio.postgres._connection import Connection
from esteio.postgres._dsn import Dsn
from esteio.postgres._errors import DatabaseUnavailable, is_connection_loss, translate
from esteio.postgres._pool import Pool
from esteio.postgres._session import session_conninfo
from esteio.postgres._stats import PoolStats

__all__ = ["Database"]

_Params = Sequence[Any] | Mapping[str, Any] | None
_Row = TypeVar("_Row")


class Database:
    """One database, reached through one pool of this process; belongs to one event loop.

    `settings` are PostgreSQL settings of each session, such as `{"role": "app"}`. `max_waiting` bounds
    the queue for a connection. `prepare_threshold` is psycopg's: 0 prepares a statement the first time
    it runs on a connection, None never does (for PgBouncer in transaction mode).
    """

    def __init__(
        self,
        dsn: Dsn | str,
        *,
        name: str = "main",
        application_name: str | None = None,
        settings: Mapping[str, str] | None = None,
        min_size: int = 2,
        prepare_threshold: int | None = 0,
        max_waiting: int = 1000,
        clock: Clock = SYSTEM,
    ) -> None:
        self.dsn = Dsn.parse(dsn) if isinstance(dsn, str) else dsn
        self.name = name
        self._prepare_threshold = prepare_threshold
        self._clock = clock
        self._conninfo = session_conninfo(self.dsn, application_name or f"esteio {name} {os.getpid()}", settings or {})
        self._pool = Pool(
            self._connect,
            name=name,
            min_size=min(min_size, self.dsn.connection_limit),
            max_size=self.dsn.connection_limit,
            timeout=self.dsn.pool_timeout,
            max_waiting=max_waiting,
            clock=clock,
        )

    async def open(self, wait: float | None = None) -> None:
        """Begin to connect and return; with `wait`, return when a connection works.

        DatabaseUnavailable when `wait` seconds did not suffice; the database is open all the same and
        goes on trying.
        """
        self._pool.open()
        if wait is not None:
            async with self.connection(timeout=wait):
                pass

    async def close(self, timeout: float = 5.0) -> None:
        """Refuse new work, let running blocks finish for `timeout` seconds, close all connections."""
        await self._pool.close(timeout)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def connection(self, timeout: float | None = None) -> AbstractAsyncContextManager[Connection]:
        """A block with an autocommit connection, waited for at most `timeout` seconds (None: pool_timeout).

        `async with conn.pipeline():` inside it sends statements in batches.
        """
        return _Borrowed(self, timeout)

    def transaction(self, timeout: float | None = None) -> AbstractAsyncContextManager[Connection]:
        """A block between BEGIN and COMMIT, rolled back when it raises; `conn.transaction()` in it is a savepoint."""
        return _InTransaction(self, timeout)

    @overload
    async def fetch_one(self, sql: QueryNoTemplate, params: _Params = None) -> TupleRow | None: ...
    @overload
    async def fetch_one(
        self, sql: QueryNoTemplate, params: _Params = None, *, row_factory: AsyncRowFactory[_Row]
    ) -> _Row | None: ...
    async def fetch_one(
        self, sql: QueryNoTemplate, params: _Params = None, *, row_factory: AsyncRowFactory[Any] = tuple_row
    ) -> Any:
        """The first row, or None when there is none."""
        async with _Borrowed(self, None) as conn:
            cursor = conn.cursor(row_factory=row_factory)
            await cursor.execute(sql, params)
            return await cursor.fetchone()

    @overload
    async def fetch_all(self, sql: QueryNoTemplate, params: _Params = None) -> list[TupleRow]: ...
    @overload
    async def fetch_all(
        self, sql: QueryNoTemplate, params: _Params = None, *, row_factory: AsyncRowFactory[_Row]
    ) -> list[_Row]: ...
    async def fetch_all(
        self, sql: QueryNoTemplate, params: _Params = None, *, row_factory: AsyncRowFactory[Any] = tuple_row
    ) -> list[Any]:
        """All rows; the statement should bound their number."""
        async with _Borrowed(self, None) as conn:
            cursor = conn.cursor(row_factory=row_factory)
            await cursor.execute(sql, params)
            return await cursor.fetchall()

    async def fetch_value(self, sql: QueryNoTemplate, params: _Params = None) -> Any:
        """The first column of the first row, or None when there is no row."""
        row = await self.fetch_one(sql, params)
        return None if row is None else row[0]

    async def execute(self, sql: QueryNoTemplate, params: _Params = None) -> int:
        """Run a statement outside of any transaction; the number of rows it touched (-1 where that means nothing)."""
        async with _Borrowed(self, None) as conn:
            return (await conn.execute(sql, params)).rowcount

    async def ping(self, timeout: float = 1.0) -> float:
        """Seconds that a round trip to the server takes, the wait for a connection included.

        DatabaseUnavailable or PoolExhausted when it takes longer than `timeout` seconds, even when the
        server hangs.
        """
        began = self._clock.monotonic()
        task = asyncio.ensure_future(self._round_trip(timeout))
        try:
            done, _ = await asyncio.wait({task}, timeout=timeout + 0.05)
        finally:
            await _abandon(task)
        if not done:
            raise DatabaseUnavailable(self.name, f"no answer within {timeout:g} s")
        await task
        return self._clock.monotonic() - began

    def stats(self) -> PoolStats:
        """The pool's numbers of this moment."""
        return self._pool.stats()

    async def _round_trip(self, timeout: float) -> None:
        async with _Borrowed(self, timeout) as conn:
            await conn.execute("SELECT 1")

    async def _connect(self) -> Connection:
        return await Connection.connect(self._conninfo, autocommit=True, prepare_threshold=self._prepare_threshold)

    def _give_back(self, conn: Connection, error: BaseException | None) -> None:
        """Return `conn` after a block that ended in `error`, which is raised again in our words if it has any."""
        if error is None:
            self._pool.release(conn)
            return
        if is_connection_loss(error):
            conn.drop()
        self._pool.release(conn)
        translated = translate(error, self.name, self.dsn.statement_timeout)
        if translated is not None:
            raise translated from error


class _Borrowed:
    """A block with a connection; a class because it runs for every statement and is half the cost of a generator."""

    __slots__ = ("_conn", "_database", "_timeout")

    def __init__(self, database: Database, timeout: float | None) -> None:
        self._database = database
        self._timeout = timeout

    async def __aenter__(self) -> Connection:
        self._conn = await self._database._pool.acquire(self._timeout)  # noqa: SLF001 - one concept in two classes
        return self._conn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database._give_back(self._conn, error)  # noqa: SLF001


class _InTransaction:
    """A block in a transaction."""

    __slots__ = ("_conn", "_database", "_timeout", "_transaction")

    def __init__(self, database: Database, timeout: float | None) -> None:
        self._database = database
        self._timeout = timeout

    async def __aenter__(self) -> Connection:
        self._conn = conn = await self._database._pool.acquire(self._timeout)  # noqa: SLF001
        self._transaction = AsyncTransaction(conn)
        try:
            await self._transaction.__aenter__()
        except BaseException as error:
            self._database._give_back(conn, error)  # noqa: SLF001
            raise
        return conn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        try:
            swallowed = bool(await self._transaction.__aexit__(kind, error, trace))
        except BaseException as failure:
            self._database._give_back(self._conn, failure)  # noqa: SLF001
            raise
        self._database._give_back(self._conn, None if swallowed else error)  # noqa: SLF001
        return swallowed


async def _abandon(task: asyncio.Task[None]) -> None:
    """End `task` although it may wait for a server that never answers."""
    # The driver takes the first cancellation as the wish to cancel the statement on the server and waits
    # for that; a second one ends the wait.
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.01)
