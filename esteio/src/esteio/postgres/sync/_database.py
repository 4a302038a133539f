"""A PostgreSQL database as a service of threads sees it.

Promises: what `Database` promises, waited for by blocking: opening never fails because the server is away; limits are
set on the session; after an outage it serves again within a tenth of a second of the server's return; `run` goes on
until its function is committed exactly once; a block is never run twice, a statement only when it was not executed or
may be repeated. Reads go to the primary: replicas are for `Database`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from random import random
from threading import Lock
from typing import Any, Self, TypeVar, overload

import psycopg
from psycopg import Cursor, IsolationLevel
from psycopg.abc import QueryNoTemplate
from psycopg.errors import ReadOnlySqlTransaction
from psycopg.rows import RowFactory, TupleRow, tuple_row

from esteio import events
from esteio.clock import SYSTEM, Clock
from esteio.policy._scope import OPEN_END, SCOPE
from esteio.policy._test_switches import pause
from esteio.postgres._attempts import Attempts, Trouble, trouble
from esteio.postgres._deadline import deadline_passed, time_left
from esteio.postgres._dsn import Dsn
from esteio.postgres._errors import DatabaseUnavailable, PoolExhausted, first_line, is_connection_loss, translate
from esteio.postgres._events import TransactionRetried
from esteio.postgres._hosts import Fleet, HostReport
from esteio.postgres._limits import PoolLimits
from esteio.postgres._outcome import History
from esteio.postgres._pooler import Demands, pooler_of
from esteio.postgres._session import LIMITS, session_conninfo, session_hosts
from esteio.postgres._statement import ATTEMPTS, HUNG_SECONDS, REFUSALS
from esteio.postgres._statements import StatementStats
from esteio.postgres._stats import DatabaseStats
from esteio.postgres._tag import application_of
from esteio.postgres._transaction import Mode
from esteio.postgres._watch import Watch
from esteio.postgres.sync._blocks import SyncBorrowed
from esteio.postgres.sync._connect import SyncOpener
from esteio.postgres.sync._connection import SyncConnection
from esteio.postgres.sync._cursor import SharedStatements
from esteio.postgres.sync._pool import SyncPool
from esteio.postgres.sync._resolution import SyncResolver
from esteio.postgres.sync._run import SyncRun
from esteio.postgres.sync._transaction import SyncTransaction

__all__ = ["SyncDatabase"]

_Params = Sequence[Any] | Mapping[str, Any] | None
_Row = TypeVar("_Row")
R = TypeVar("R")


class SyncDatabase:
    """One database, reached through one pool of this process, by any number of threads.

    The parameters are those of `Database`.
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
        row_factory: RowFactory[Any] = tuple_row,
        configure: Callable[[SyncConnection], None] | None = None,
        reset: Callable[[SyncConnection], None] | None = None,
        max_waiting: int = 1000,
        ping_after: float = 30.0,
        max_lifetime: float = 3600.0,
        max_idle: float = 600.0,
        slow_warn: float | None = 1.0,
        slow_alert: float | None = 3.0,
        leak_after: float | None = 60.0,
        statements: int = 500,
        clock: Clock = SYSTEM,
    ) -> None:
        self.dsn = Dsn.parse(dsn) if isinstance(dsn, str) else dsn
        self.name = name
        self.clock = clock
        self.retried = 0
        """Transactions and statements that ran again."""
        self._row_factory = row_factory
        self._counting = Lock()
        application = application_of(self.dsn, application_name or f"esteio {name} {os.getpid()}")
        conninfo = session_conninfo(self.dsn, application, settings or {})
        self._watch = Watch(
            name,
            slow_warn=slow_warn,
            slow_alert=slow_alert,
            statements=SharedStatements(statements),
            application=application,
            clock=clock,
        )
        self._target, hosts = session_hosts(self.dsn, conninfo)
        self._fleet = Fleet(hosts, random)
        history = History()
        source = self._source = SyncOpener(
            self._fleet,
            history,
            self._target,
            name=name,
            prepare_threshold=prepare_threshold,
            clock=clock,
            watch=self._watch,
            demands=Demands(name, conninfo, LIMITS, pooler_of(pooler)),
            row_factory=row_factory,
            configure=configure,
        )
        self._pool = SyncPool(
            source,
            PoolLimits(
                min_size=min_size,
                max_size=self.dsn.connection_limit,
                timeout=self.dsn.pool_timeout,
                max_waiting=max_waiting,
                ping_after=ping_after,
                max_lifetime=max_lifetime,
                max_idle=max_idle,
            ).resized(None, None),
            name=name,
            reset=reset,
            leak_after=leak_after,
            clock=clock,
        )
        self._resolver = SyncResolver(self._pool, history, name=name, limit=self.dsn.pool_timeout, clock=clock)

    def open(self, wait: float | None = None) -> None:
        """Begin to connect and return; with `wait`, return when a connection works.

        DatabaseUnavailable when `wait` seconds did not suffice; the database is open all the same and
        goes on trying.
        """
        self._pool.open()
        if wait is not None:
            with self.connection(timeout=wait):
                pass

    def resize(self, *, min_size: int | None = None, max_size: int | None = None) -> None:
        """Keep at least `min_size` connections open and at most `max_size`, from now on; None: as before.

        What is in use above the new maximum ends when it comes back. ValueError outside of the documented limits.
        """
        self._pool.resize(min_size, max_size)

    def drain(self, timeout: float = 5.0) -> bool:
        """Refuse new work; whether all running work ended within `timeout` seconds."""
        return self._pool.drain(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Refuse new work, let running blocks finish for `timeout` seconds, close all connections."""
        self._pool.close(timeout)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connection(self, timeout: float | None = None) -> AbstractContextManager[SyncConnection]:
        """A block with an autocommit connection, waited for at most `timeout` seconds (None: pool_timeout)."""
        return SyncBorrowed(self, timeout)

    @contextmanager
    def transaction(
        self, timeout: float | None = None, *, read_only: bool = False, isolation: IsolationLevel | None = None
    ) -> Iterator[SyncConnection]:
        """A block between BEGIN and COMMIT, rolled back when it raises; `conn.transaction()` in it is a savepoint.

        When the answer to COMMIT is lost, what became of it is looked up: the block ends well when it was
        committed, with DatabaseUnavailable when it was not, and with CommitUnknown when nobody knows.
        """
        work = self.transact(Mode(read_only, isolation), timeout)
        try:
            work.begin()
            try:
                yield work.conn
            except BaseException as error:
                work.roll_back(error)
                if isinstance(error, psycopg.Rollback):
                    return
                raise
            work.commit()
        except psycopg.Error as error:
            self.in_our_words(error, work.trouble)
            raise

    def run(
        self,
        function: Callable[[SyncConnection], R],
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
        a connection is bounded). A thread cannot be stopped: at the deadline its wait for the server ends.

        DeadlineExceeded when time was up, DatabaseUnavailable, PoolExhausted or SerializationConflict when
        attempts were, all with nothing committed; CommitUnknown when nobody can tell.
        """
        return SyncRun(self, Mode(read_only, isolation), deadline, attempts)(function)

    @overload
    def fetch_one(
        self, sql: QueryNoTemplate, params: _Params = None, *, read_only: bool = False, idempotent: bool = False
    ) -> TupleRow | None: ...
    @overload
    def fetch_one(
        self,
        sql: QueryNoTemplate,
        params: _Params = None,
        *,
        row_factory: RowFactory[_Row],
        read_only: bool = False,
        idempotent: bool = False,
    ) -> _Row | None: ...
    def fetch_one(
        self,
        sql: QueryNoTemplate,
        params: _Params = None,
        *,
        row_factory: RowFactory[Any] | None = None,
        read_only: bool = False,
        idempotent: bool = False,
    ) -> Any:
        """The first row, or None when there is none.

        `read_only`, `idempotent`: the statement may run twice, so on an outage it is repeated for as long as a
        connection may be waited for.
        """
        return self._statement(sql, params, row_factory, Cursor.fetchone, read_only or idempotent)

    @overload
    def fetch_all(
        self, sql: QueryNoTemplate, params: _Params = None, *, read_only: bool = False, idempotent: bool = False
    ) -> list[TupleRow]: ...
    @overload
    def fetch_all(
        self,
        sql: QueryNoTemplate,
        params: _Params = None,
        *,
        row_factory: RowFactory[_Row],
        read_only: bool = False,
        idempotent: bool = False,
    ) -> list[_Row]: ...
    def fetch_all(
        self,
        sql: QueryNoTemplate,
        params: _Params = None,
        *,
        row_factory: RowFactory[Any] | None = None,
        read_only: bool = False,
        idempotent: bool = False,
    ) -> list[Any]:
        """All rows; the statement should bound their number. For the rest see `fetch_one`."""
        rows: list[Any] = self._statement(sql, params, row_factory, Cursor.fetchall, read_only or idempotent)
        return rows

    def fetch_value(
        self, sql: QueryNoTemplate, params: _Params = None, *, read_only: bool = False, idempotent: bool = False
    ) -> Any:
        """The first column of the first row, or None when there is no row. For the rest see `fetch_one`."""
        row = self._statement(sql, params, tuple_row, Cursor.fetchone, read_only or idempotent)
        return None if row is None else row[0]

    def execute(self, sql: QueryNoTemplate, params: _Params = None, *, idempotent: bool = False) -> int:
        """Run a statement outside of any transaction; the number of rows it touched (-1 where that means nothing).

        `idempotent`: it may run twice, so it is repeated through an outage.
        """
        count: int = self._statement(sql, params, tuple_row, _row_count, idempotent)
        return count

    def ping(self, timeout: float = 1.0) -> float:
        """Seconds that a round trip to the server takes, the wait for a connection included.

        DatabaseUnavailable or PoolExhausted when it takes longer than `timeout` seconds, even when the
        server hangs.
        """
        began = self.clock.monotonic()
        conn = self.borrow(timeout)
        self._pool.bound(conn, began + timeout)
        try:
            conn.execute("SELECT 1")
        except BaseException as error:
            hung = conn.is_cut
            kind = self.give_back(conn, error)
            if hung:
                raise DatabaseUnavailable(self.name, f"no answer within {timeout:g} s") from error
            self.in_our_words(error, kind)
            raise
        self.give_back(conn, None)
        return self.clock.monotonic() - began

    def stats(self) -> DatabaseStats:
        """The numbers of this moment: the pool, and what it took to keep promises."""
        return DatabaseStats.of(
            self._pool.stats(),
            failovers=self._source.failovers,
            retried=self.retried,
            resolved_committed=self._resolver.committed,
            resolved_aborted=self._resolver.aborted,
            unknown=self._resolver.unknown,
        )

    def statements(self) -> tuple[StatementStats, ...]:
        """What ran, by fingerprint, the most expensive first, since this was made."""
        return self._watch.statements.snapshot()

    def hosts(self) -> tuple[HostReport, ...]:
        """What is known of each server of the URL."""
        return self._fleet.report(self.clock.monotonic())

    # For the blocks and runs of this package

    def borrow(self, timeout: float | None) -> SyncConnection:
        """A connection that has to come back by `give_back`; within `timeout` seconds (None: pool_timeout).

        DeadlineExceeded when the caller's deadline has passed, or ends the wait while all connections are in use.
        """
        if SCOPE.get() is OPEN_END:
            return self._pool.acquire(timeout)
        allowed = self.dsn.pool_timeout if timeout is None else timeout
        left = time_left(allowed)
        if left <= 0 < allowed:
            raise deadline_passed(self.name)
        try:
            return self._pool.acquire(left)
        except PoolExhausted as error:
            if left < allowed and error.waited:
                raise deadline_passed(self.name) from error  # not the pool's limit ended the wait
            raise

    def give_back(self, conn: SyncConnection, error: BaseException | None) -> Trouble:
        """Return `conn` after work that ended in `error`; what that says about its server."""
        if error is None:
            self._pool.release(conn)
            return Trouble.OTHER
        kind = trouble(error, conn.role_now())
        if kind.ends_generation:
            self.broke(conn, error)
        if kind.ends_generation or is_connection_loss(error):
            conn.drop()
        self._pool.release(conn)
        return kind

    def broke(self, conn: SyncConnection, error: BaseException) -> None:
        """`error` on `conn` has shown that its server is gone or not what it was."""
        self._pool.retire(conn, first_line(error))

    def transact(self, mode: Mode, timeout: float | None) -> SyncTransaction:
        """A transaction that can begin."""
        return SyncTransaction(self.borrow(timeout), self._pool, self._resolver, self._target, mode, self.clock)

    def in_our_words(self, error: BaseException, kind: Trouble) -> None:
        """Raise the Esteio error that `error` means, if it means any."""
        if kind is Trouble.OTHER and isinstance(error, ReadOnlySqlTransaction):
            return  # the server is as it should be; the transaction was to be read-only
        if kind is Trouble.LOST and isinstance(error, psycopg.Error) and error.sqlstate is None:
            raise DatabaseUnavailable(self.name, first_line(error)) from error
        translated = translate(error, self.name, self.dsn.statement_timeout)
        if translated is not None:
            raise translated from error

    def tell(self, attempt: int, kind: Trouble, wait: float) -> None:
        """Something runs again."""
        with self._counting:
            self.retried += 1
        if events.active():
            events.emit(TransactionRetried(self.name, attempt, kind, wait))

    def _statement(
        self,
        sql: Any,
        params: Any,
        row_factory: RowFactory[Any] | None,
        fetch: Callable[[Cursor[Any]], Any],
        harmless: bool,
    ) -> Any:
        """Execute `sql` and return what `fetch` makes of its cursor."""
        plan: Attempts | None = None
        while True:
            conn = self.borrow(None)
            if self.dsn.statement_timeout:
                hung_after = self.dsn.statement_timeout / 1000 + HUNG_SECONDS
                self._pool.bound(conn, self.clock.monotonic() + hung_after)
            try:
                cursor = conn.cursor(row_factory=row_factory or self._row_factory)
                cursor.execute(sql, params)
                result = fetch(cursor)
            except BaseException as error:
                hung = conn.is_cut
                kind = self.give_back(conn, error)
                now = self.clock.monotonic()
                limit = ATTEMPTS if harmless else REFUSALS
                plan = plan or Attempts(limit, now + time_left(self.dsn.pool_timeout), random)
                wait = plan.again(kind if harmless or kind.before_it_ran else Trouble.OTHER, now)
                if wait is None:
                    if hung and isinstance(error, psycopg.Error):
                        raise DatabaseUnavailable(self.name, "it did not answer in time: it hangs") from error
                    self.in_our_words(error, kind)
                    raise
            else:
                self.give_back(conn, None)
                return result
            self.tell(plan.attempt, kind, wait)
            pause(self.clock, wait)


def _row_count(cursor: Cursor[Any]) -> int:
    return cursor.rowcount
