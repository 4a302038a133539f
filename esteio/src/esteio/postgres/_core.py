"""What statements, blocks and transactions of one database stand on: borrow, classify, count, translate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg.errors import ReadOnlySqlTransaction

from esteio import events
from esteio.policy._scope import OPEN_END, SCOPE
from esteio.policy._test_switches import pause_async
from esteio.postgres._attempts import ErrorKind, classify
from esteio.postgres._causality import CURRENT
from esteio.postgres._commands import Mode
from esteio.postgres._concurrency import Lock
from esteio.postgres._connection import Connection
from esteio.postgres._deadline import deadline_passed, time_left
from esteio.postgres._errors import (
    CommitUnknown,
    DatabaseUnavailable,
    PoolExhausted,
    first_line,
    is_connection_loss,
    translate,
)
from esteio.postgres._events import TransactionRetried
from esteio.postgres._pool import Pool
from esteio.postgres._replicas import Replicas
from esteio.postgres._resolution import Resolver
from esteio.postgres._transaction import UNREPLICATED, Transaction

if TYPE_CHECKING:
    from esteio.clock import Clock
    from esteio.postgres._dsn import Dsn
    from esteio.postgres._hosts import Target

__all__ = ["HUNG_SECONDS", "Core"]

HUNG_SECONDS = 1.0
"""What a server may take beyond its own statement_timeout before it is taken to hang."""
_AWAY_AFTER = 0.25
_STALE_SECONDS = 2.0
_PAUSE = 0.1


class Core:
    """One database's pools, and the rules for using them."""

    def __init__(
        self,
        dsn: Dsn,
        name: str,
        pool: Pool,
        replicas: Replicas,
        resolver: Resolver,
        target: Target,
        clock: Clock,
        answer_timeout: float,
    ) -> None:
        self.dsn = dsn
        self.name = name
        self.pool = pool
        self.replicas = replicas
        self.resolver = resolver
        self.target = target
        self.clock = clock
        self._begin_timeout = answer_timeout
        # A server that lives may work on deferred constraints for as long as on any other statement.
        self._commit_timeout = max(answer_timeout, dsn.statement_timeout / 1000 + HUNG_SECONDS)
        self.retried = 0
        self._lock = Lock()  # of the counter

    async def borrow(self, read_only: bool, timeout: float | None, even_stale: bool = False) -> tuple[Pool, Connection]:
        """A connection, and the pool it has to go back to; within `timeout` seconds (None: pool_timeout).

        With `even_stale` a replica, however far behind, takes the place of a primary that is away.

        DeadlineExceeded when the caller's deadline has passed, or ends the wait while all connections are in use.
        """
        allowed = self.dsn.pool_timeout if timeout is None else timeout
        left = allowed if SCOPE.get() is OPEN_END else time_left(allowed)
        if left <= 0 < allowed:
            raise deadline_passed(self.name)
        if read_only and self.replicas.exist:
            found = await self.replicas.acquire_for(CURRENT.get())
            if found is not None:
                return found
        try:
            if even_stale and self.replicas.exist:
                return await self._borrow_even_stale(left)
            return self.pool, await self.pool.acquire(left)
        except PoolExhausted as error:
            if left < allowed and error.waited:
                raise deadline_passed(self.name) from error  # not the pool's limit ended the wait
            raise

    async def _borrow_even_stale(self, left: float) -> tuple[Pool, Connection]:
        ends = self.clock.monotonic() + left
        while True:
            try:
                return self.pool, await self.pool.acquire(left, away_after=_AWAY_AFTER)
            except (DatabaseUnavailable, PoolExhausted) as error:
                if isinstance(error, PoolExhausted) and error.size:
                    raise  # all are in use: the primary is there
                found = await self.replicas.acquire_stale(min(max(left, 0.0), _STALE_SECONDS))
                if found is not None:
                    return found
                left = ends - self.clock.monotonic()
                if left <= 0:
                    raise
            await pause_async(self.clock, min(left, _PAUSE))
            left = max(0.0, ends - self.clock.monotonic())

    async def transact(self, mode: Mode, timeout: float | None) -> Transaction:
        """A transaction that can begin."""
        pool, conn = await self.borrow(mode.read_only, timeout)
        return Transaction(
            conn,
            pool,
            self.resolver,
            self.target if pool is self.pool else self.replicas.target,
            mode,
            begin_timeout=self._begin_timeout,
            commit_timeout=self._commit_timeout,
            locate=self.replicas.exist and CURRENT.get() is not None,
        )

    def wrote(self, work: Transaction | None) -> None:
        """Writes went to the primary, in `work` when in a transaction: the session's reads have to see them."""
        if not self.replicas.exist:
            return
        session = CURRENT.get()
        if session is not None and (work is None or work.ticket is not None):
            session.wrote(None if work is None else work.lsn, self.clock.monotonic())

    def require_replicated(self, conn: Connection) -> None:
        """CommitUnknown where the server has committed on `conn` and no standby has confirmed it, as it should have."""
        if conn.unreplicated:
            conn.unreplicated = False
            raise CommitUnknown(self.name, None, UNREPLICATED)

    def ended(self, pool: Pool, conn: Connection, error: BaseException) -> ErrorKind:
        """Give `conn` back after work that ended in `error`; what that says about its server."""
        kind = classify(error, conn.role_now())
        if kind.ends_generation:
            self.broke(pool, conn, error)
        if kind.ends_generation or is_connection_loss(error):
            conn.drop()
        pool.release(conn)
        return kind

    def broke(self, pool: Pool, conn: Connection, error: BaseException) -> None:
        """`error` on `conn` has shown that its server is gone or not what it was."""
        pool.invalidate(conn, first_line(error))
        self.suspect(pool)

    def suspect(self, pool: Pool) -> None:
        """An attempt on `pool` failed: if it is a replica's, the next one goes elsewhere."""
        if pool is not self.pool:
            self.replicas.failed(pool)

    def raise_translated(self, error: BaseException, kind: ErrorKind) -> None:
        """Raise the Esteio error that `error` means, if it means any."""
        if kind is ErrorKind.OTHER and isinstance(error, ReadOnlySqlTransaction):
            return  # the server is as it should be; the transaction was to be read-only
        if kind is ErrorKind.LOST and isinstance(error, psycopg.Error) and error.sqlstate is None:
            raise DatabaseUnavailable(self.name, first_line(error)) from error
        translated = translate(error, self.name, self.dsn.statement_timeout)
        if translated is not None:
            raise translated from error

    def count_retry(self, attempt: int, kind: ErrorKind, wait: float) -> None:
        """Something runs again, as number `attempt`, after `wait` seconds."""
        with self._lock:
            self.retried += 1
        if events.active():
            events.emit(TransactionRetried(self.name, attempt, kind, wait))
