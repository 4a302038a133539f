"""A PostgreSQL database as a service sees it.

Promises: opening never fails because the server is away; a connection is autocommit, its limits
(statement, lock, idle transaction) are set on the session, so the server itself enforces them; what a
caller can react to arrives as `DatabaseUnavailable`, `PoolExhausted`, `StatementTimeout` or
`SerializationConflict`, every other driver error unchanged. After an outage it serves again within a tenth
of a second of the server's return. `run` goes on until its function is committed exactly once; a block is
never run twice by itself, a statement only when it was not executed or may be repeated.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from random import random
from typing import Any, Self, TypeVar, overload

import psycopg
from psycopg import AsyncCursor, IsolationLevel
from psycopg.abc import QueryNoTemplate
from psycopg.rows import AsyncRowFactory, TupleRow, tuple_row

from esteio.clock import SYSTEM, Clock
from esteio.policy.deadline import detached
from esteio.postgres import _causality
from esteio.postgres._blocks import Borrowed, InTransaction
from esteio.postgres._causality import Session
from esteio.postgres._commands import Mode
from esteio.postgres._connect import Opener
from esteio.postgres._connection import Connection
from esteio.postgres._core import Core
from esteio.postgres._dsn import Dsn
from esteio.postgres._errors import DatabaseUnavailable
from esteio.postgres._hosts import Fleet, Host, HostReport, Target
from esteio.postgres._limits import PoolLimits, checked
from esteio.postgres._outcome import History
from esteio.postgres._pool import Pool
from esteio.postgres._pooler import Demands, pooler_of
from esteio.postgres._replicas import Replicas
from esteio.postgres._replication import Lag, ReplicaReport
from esteio.postgres._resolution import Resolver
from esteio.postgres._run import Run
from esteio.postgres._session import LIMITS, session_conninfo, session_hosts
from esteio.postgres._statement import statement
from esteio.postgres._statements import Statements, StatementStats
from esteio.postgres._stats import DatabaseStats
from esteio.postgres._tag import application_of
from esteio.postgres._watch import Watch

__all__ = ["Database"]

_Params = Sequence[Any] | Mapping[str, Any] | None
_Row = TypeVar("_Row")
R = TypeVar("R")

_FRESHNESS = 3.0


class Database:
    """One database, reached through one pool of this process; belongs to one event loop.

    `settings` are PostgreSQL settings of each session, such as `{"role": "app"}`. `max_waiting` bounds
    the queue for a connection. `prepare_threshold` is psycopg's: 0 prepares a statement the first time
    it runs on a connection, None never does. `pooler` is "session" or "transaction" when a connection pooler such as
    PgBouncer in that mode is in between; None finds out, and takes one that is there for the latter. `row_factory`
    is what rows are made with. `configure` is called with each new connection, and again when one was reset because
    a borrower had changed its session; `reset` with each one that comes back, before we undo what was left. A
    statement slower than
    `slow_warn` seconds is logged, one slower than `slow_alert` an event too, and a connection that is out
    for more than `leak_after` seconds both; None turns each off. At most `statements` are counted by name.
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
        pooler: str | None = None,
        row_factory: AsyncRowFactory[Any] = tuple_row,
        configure: Callable[[Connection], Awaitable[None]] | None = None,
        reset: Callable[[Connection], Awaitable[None]] | None = None,
        max_waiting: int = 1000,
        ping_after: float = 30.0,
        max_lifetime: float = 3600.0,
        max_idle: float = 600.0,
        answer_timeout: float = 15.0,
        max_lag: float = 10.0,
        max_lag_bytes: int = 64 * 1024 * 1024,
        slow_warn: float | None = 1.0,
        slow_alert: float | None = 3.0,
        leak_after: float | None = 60.0,
        statements: int = 500,
        clock: Clock = SYSTEM,
    ) -> None:
        self.dsn = Dsn.parse(dsn) if isinstance(dsn, str) else dsn
        self.name = name
        self.clock = clock
        self._row_factory = row_factory
        limits = PoolLimits(
            min_size=min_size,
            max_size=self.dsn.connection_limit,
            timeout=self.dsn.pool_timeout,
            max_waiting=max_waiting,
            ping_after=ping_after,
            max_lifetime=max_lifetime,
            max_idle=max_idle,
        )
        checked("answer_timeout", answer_timeout)
        checked("max_lag", max_lag)
        checked("max_lag_bytes", max_lag_bytes)
        application = application_of(self.dsn, application_name or f"esteio {name} {os.getpid()}")
        conninfo = session_conninfo(self.dsn, application, settings or {})
        self._watch = Watch(
            name,
            slow_warn=slow_warn,
            slow_alert=slow_alert,
            statements=Statements(statements),
            application=application,
            clock=clock,
        )
        demands = Demands(name, conninfo, LIMITS, pooler_of(pooler))
        target, hosts = session_hosts(self.dsn, conninfo)
        self._fleet = Fleet(hosts, random)
        history = History()

        def opener(wanted: Target, only: Host | None = None) -> Opener:
            return Opener(
                self._fleet,
                history,
                wanted,
                name=name,
                prepare_threshold=prepare_threshold,
                clock=clock,
                only=only,
                watch=self._watch,
                demands=demands,
                row_factory=row_factory,
                configure=configure,
            )

        def pool(source: Opener, smallest: int, label: str = name) -> Pool:
            return Pool(
                source,
                limits.resized(smallest, None),
                name=label,
                reset=reset,
                leak_after=leak_after,
                clock=clock,
            )

        source = self._source = opener(target)
        self._pool = pool(source, min_size)
        self._resolver = Resolver(self._pool, history, name=name, limit=self.dsn.pool_timeout, clock=clock)
        follow = hosts if len(hosts) > 1 and target in (Target.READ_WRITE, Target.PRIMARY) else []
        self._replicas = Replicas(
            self._fleet,
            self._pool,
            source,
            {host: pool(opener(Target.ANY, only=host), 0, f"{name} {host.address}") for host in follow},
            Lag(max_lag, max_lag_bytes, _FRESHNESS),
            clock,
        )
        # What SQLAlchemy's bridge borrows from.
        self.core = Core(self.dsn, name, self._pool, self._replicas, self._resolver, target, clock, answer_timeout)

    async def open(self, wait: float | None = None) -> None:
        """Begin to connect and return; with `wait`, return when a connection works.

        DatabaseUnavailable when `wait` seconds did not suffice; the database is open all the same and
        goes on trying.
        """
        with detached():  # what runs on in the background must not take over a deadline of who opens
            self._pool.open()
            self._replicas.open()
        if wait is not None:
            async with self.connection(timeout=wait):
                pass

    def resize(self, *, min_size: int | None = None, max_size: int | None = None) -> None:
        """Keep at least `min_size` connections open and at most `max_size` to each server, from now on; None: as before.

        What is in use above the new maximum ends when it comes back. ValueError outside of the documented limits.
        """
        self._pool.resize(min_size, max_size)
        self._replicas.resize(max_size)

    async def drain(self, timeout: float = 5.0) -> bool:
        """Refuse new work; whether all running work ended within `timeout` seconds."""
        until = self.clock.monotonic() + timeout
        self._replicas.stop()
        main = await self._pool.drain(timeout)
        return await self._replicas.drain(max(0.0, until - self.clock.monotonic())) and main

    async def close(self, timeout: float = 5.0) -> None:
        """Refuse new work, let running blocks finish for `timeout` seconds, cut all connections still in use."""
        until = self.clock.monotonic() + timeout
        self._replicas.stop()
        await self._pool.close(timeout)
        await self._replicas.close(max(0.0, until - self.clock.monotonic()))

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def connection(
        self, timeout: float | None = None, *, read_only: bool = False, even_stale: bool = False
    ) -> AbstractAsyncContextManager[Connection]:
        """A block with an autocommit connection, waited for at most `timeout` seconds (None: pool_timeout).

        `async with conn.pipeline():` inside it sends statements in batches. With `read_only` it may be one
        to a replica. With `even_stale` it is one to the primary, and while that is away one to a replica, however far
        that is behind: for reads that are better answered late than not at all.
        """
        return Borrowed(self.core, timeout, read_only, even_stale)

    def transaction(
        self, timeout: float | None = None, *, read_only: bool = False, isolation: IsolationLevel | None = None
    ) -> AbstractAsyncContextManager[Connection]:
        """A block between BEGIN and COMMIT, rolled back when it raises; `conn.transaction()` in it is a savepoint.

        Its first statement is ours, so `isolation` and `read_only` are said here and not by SET TRANSACTION.
        When the answer to COMMIT is lost, what became of it is looked up: the block ends well when it was
        committed, with DatabaseUnavailable when it was not, and with CommitUnknown when nobody knows.
        """
        return InTransaction(self.core, timeout, Mode(read_only, isolation))

    async def run(
        self,
        function: Callable[[Connection], Awaitable[R]],
        *,
        read_only: bool = False,
        isolation: IsolationLevel | None = None,
        deadline: float | None = None,
        attempts: int | None = None,
    ) -> R:
        """What `function(conn)` returns, once all it did on `conn` is committed - exactly once.

        It runs again after a serialization failure, a deadlock, or a connection or server lost before COMMIT,
        so it must have no effects but those on `conn`. At most `attempts` times (None: 10, or 1 inside of
        another retry), all within `deadline` seconds (None: the policy's around it, else only the wait for
        a connection is bounded). A read-only transaction may go to a replica.

        DeadlineExceeded when time was up, DatabaseUnavailable, PoolExhausted or SerializationConflict when
        attempts were, all with nothing committed; CommitUnknown when nobody can tell.
        """
        return await Run(self.core, Mode(read_only, isolation), deadline, attempts)(function)

    def session(self, token: str | None = None) -> AbstractContextManager[Session]:
        """Inside this block reads from replicas see what was written in it, and before by whom `token` is from.

        Hand `session.token` to the next request of the same reader. ValueError for a malformed token.
        """
        return _causality.session(token)

    @overload
    async def fetch_one(
        self, sql: QueryNoTemplate, params: _Params = None, *, read_only: bool = False, idempotent: bool = False
    ) -> TupleRow | None: ...
    @overload
    async def fetch_one(
        self,
        sql: QueryNoTemplate,
        params: _Params = None,
        *,
        row_factory: AsyncRowFactory[_Row],
        read_only: bool = False,
        idempotent: bool = False,
    ) -> _Row | None: ...
    async def fetch_one(
        self,
        sql: QueryNoTemplate,
        params: _Params = None,
        *,
        row_factory: AsyncRowFactory[Any] | None = None,
        read_only: bool = False,
        idempotent: bool = False,
    ) -> Any:
        """The first row, or None when there is none.

        `read_only`: the statement changes nothing, so it may go to a replica and through an outage, on which
        it is repeated for as long as a connection may be waited for; `idempotent`: the latter only.
        """
        return await statement(
            self.core, sql, params, row_factory or self._row_factory, AsyncCursor.fetchone, read_only, idempotent
        )

    @overload
    async def fetch_all(
        self, sql: QueryNoTemplate, params: _Params = None, *, read_only: bool = False, idempotent: bool = False
    ) -> list[TupleRow]: ...
    @overload
    async def fetch_all(
        self,
        sql: QueryNoTemplate,
        params: _Params = None,
        *,
        row_factory: AsyncRowFactory[_Row],
        read_only: bool = False,
        idempotent: bool = False,
    ) -> list[_Row]: ...
    async def fetch_all(
        self,
        sql: QueryNoTemplate,
        params: _Params = None,
        *,
        row_factory: AsyncRowFactory[Any] | None = None,
        read_only: bool = False,
        idempotent: bool = False,
    ) -> list[Any]:
        """All rows; the statement should bound their number. For the rest see `fetch_one`."""
        rows: list[Any] = await statement(
            self.core, sql, params, row_factory or self._row_factory, AsyncCursor.fetchall, read_only, idempotent
        )
        return rows

    async def fetch_value(
        self, sql: QueryNoTemplate, params: _Params = None, *, read_only: bool = False, idempotent: bool = False
    ) -> Any:
        """The first column of the first row, or None when there is no row. For the rest see `fetch_one`."""
        row = await statement(self.core, sql, params, tuple_row, AsyncCursor.fetchone, read_only, idempotent)
        return None if row is None else row[0]

    async def execute(self, sql: QueryNoTemplate, params: _Params = None, *, idempotent: bool = False) -> int:
        """Run a statement outside of any transaction; the number of rows it touched (-1 where that means nothing).

        `idempotent`: it may run twice, so it is repeated through an outage.
        """
        count: int = await statement(self.core, sql, params, tuple_row, _row_count, False, idempotent)
        return count

    async def ping(self, timeout: float = 1.0) -> float:
        """Seconds that a round trip to the server takes, the wait for a connection included.

        DatabaseUnavailable or PoolExhausted when it takes longer than `timeout` seconds, even when the
        server hangs.
        """
        began = self.clock.monotonic()
        pool, conn = await self.core.borrow(False, timeout)
        pool.bound(conn, began + timeout)
        try:
            await conn.execute("SELECT 1")
        except BaseException as error:
            hung = conn.is_cut
            kind = self.core.ended(pool, conn, error)
            if hung and isinstance(error, psycopg.Error):
                raise DatabaseUnavailable(self.name, f"no answer within {timeout:g} s") from error
            self.core.raise_translated(error, kind)
            raise
        pool.release(conn)
        return self.clock.monotonic() - began

    @property
    def retried(self) -> int:
        """Transactions and statements that ran again."""
        return self.core.retried

    def stats(self) -> DatabaseStats:
        """The numbers of this moment: the pool for writes, and what it took to keep promises."""
        return DatabaseStats.of(
            self._pool.stats(),
            failovers=self._source.failovers,
            retried=self.core.retried,
            resolved_committed=self._resolver.committed,
            resolved_aborted=self._resolver.aborted,
            unknown=self._resolver.unknown,
        )

    def statements(self) -> tuple[StatementStats, ...]:
        """What ran, by fingerprint, the most expensive first; on all pools, since this was made."""
        return self._watch.statements.snapshot()

    def hosts(self) -> tuple[HostReport, ...]:
        """What is known of each server of the URL."""
        return self._fleet.report(self.clock.monotonic())

    def replicas(self) -> tuple[ReplicaReport, ...]:
        """How far each replica is behind; empty with a single server."""
        return self._replicas.report()


async def _row_count(cursor: AsyncCursor[Any]) -> int:
    return cursor.rowcount
