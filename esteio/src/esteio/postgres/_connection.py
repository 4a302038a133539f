"""One connection that knows whether it is still worth handing out.

Promises: `stale` costs microseconds and never blocks: an idle PostgreSQL session has nothing to say,
so a socket that is readable or closed belongs to a session that ended. A connection that died without
a word (a cut cable) is found by TCP keepalives, not here. A cancelled statement is stopped on the server,
or its connection closed, within a second; so is one whose caller's deadline passes, which ends in DeadlineExceeded
within a quarter of a second. Nothing is sent once the deadline has passed.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import AsyncConnection, BaseConnection, Error, OperationalError, generators, waiting
from psycopg._cursor_base import BaseCursor
from psycopg._server_cursor_base import ServerCursorMixin
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.rows import tuple_row

from esteio.policy._scope import SCOPE
from esteio.postgres._deadline import LATE_SECONDS, deadline_passed, time_left
from esteio.postgres._hosts import Host, Role, role_of
from esteio.postgres._outcome import Incarnation
from esteio.postgres._pooler import Pooler
from esteio.postgres._restore import ClientState, changes_session, reported
from esteio.postgres._watch import Cursor, ServerCursor, Watch

if TYPE_CHECKING:
    from psycopg.pq.abc import PGcancelConn, PGconn
    from psycopg.rows import AsyncRowFactory

    from esteio.policy import DeadlineExceeded

__all__ = ["Connection", "Remembered"]

_Result = TypeVar("_Result")

_INTERVAL = 0.1
_CANCEL_SECONDS = 1.0
_CANCEL_AGAIN = 0.1
_GRACE = 0.04  # a policy or `run` with the same deadline cancels first: two that stop a statement disturb each other
_AT_REST = (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)
# What any of psycopg's cursors hands to its connection when it sends a statement.
_SENDING = frozenset(
    generator.__code__
    for generator in (
        BaseCursor._execute_gen,  # noqa: SLF001
        BaseCursor._executemany_gen_pipeline,  # noqa: SLF001
        BaseCursor._executemany_gen_no_pipeline,  # noqa: SLF001
        BaseCursor._stream_send_gen,  # noqa: SLF001
        BaseCursor._start_copy_gen,  # noqa: SLF001
        ServerCursorMixin._declare_gen,  # noqa: SLF001
    )
)


class Remembered(BaseConnection[Any]):
    """What a pool remembers about a connection, and finds out about it without asking its server; of either flavour."""

    expires_at: float = 0.0
    """Monotonic seconds after which the pool replaces it."""
    idle_since: float = 0.0
    answered_at: float = 0.0
    """Monotonic seconds of its last answer that was timed."""
    generation: int = 0
    """Of its pool when it was opened."""
    role: Role = Role.UNKNOWN
    """Of its server when it was opened."""
    host: Host | None = None
    life: Incarnation | None = None
    """Of its server; None where its transactions have to ask for it, or nobody can tell."""
    knows_origin: bool = False
    """Whether its server answers such questions."""
    pid: int = 0
    """Of its backend."""
    served_by: int = 0
    """The process that answered; another one than `pid`, or 0 when that could not be asked, behind a pooler."""
    cut_at: float = inf
    """Monotonic seconds after which its server has hung and whoever waits for it gets an error."""
    is_cut: bool = False
    lent: Pooler | None = None
    """What a pooler in between lends to this connection; None where it leads to the server itself."""
    limits: bytes = b""
    """What each transaction has to set for itself because the session does not have it."""
    watch: Watch | None = None
    """What looks at its statements."""
    borrowed_at: float = inf
    """Monotonic seconds at which a caller got it; infinite while none has it."""
    borrower: Sequence[Any] = ()
    overdue: bool = False
    """Whether it is out for so long that this was reported."""
    lost_to: deque[tuple[int, float, Sequence[Any]]] | None = None
    """Where it is noted when the borrower loses the last reference to it."""
    altered: bool = False
    """Whether its session may no longer be as it was when it was opened, so that it is reset before anybody else gets it.

    Statements of psycopg's cursors set it; who sends commands through `pgconn` says so here.
    """
    _watched: Any = None
    _announced: bool = False
    _moved: bool = True  # whether the server reported anything since `remember`, as far as looked at
    _fresh: tuple[ClientState, tuple[bytes | None, ...]] | None = None

    def __del__(self) -> None:  # type: ignore[override] # psycopg's has a default argument for itself alone
        if self.lost_to is not None and self.borrowed_at < inf:
            # No lock and no logging: this may run in any thread, in the middle of anything.
            self.lost_to.append((self.pid, self.borrowed_at, self.borrower))
            self._pool = None  # psycopg then does not warn as well; its socket is closed with `pgconn`
        super().__del__()

    def announce(self, sql: str) -> None:
        """A cursor of ours is about to send `sql`."""
        self._announced = True
        if not self.altered:
            self.altered = changes_session(sql)

    def look_at(self, operation: Any) -> None:
        """`operation` is about to run; the statement of a cursor that is not ours may change anything."""
        if getattr(operation, "gi_code", None) in _SENDING:
            if not self._announced:
                self.altered = True
            self._announced = False

    def remember(self) -> None:
        """From now on this is how its session is to be found by each borrower."""
        self.altered, self._moved = False, True
        self._fresh = ClientState(self), reported(self.pgconn)

    def forget_prepared(self) -> None:
        """The server is about to forget all prepared statements."""
        self._prepared.clear()
        self._prepared._to_flush.clear()  # noqa: SLF001

    def put_back(self) -> bool:
        """Undo what the borrower changed in the driver; whether the session on the server has to be reset too."""
        if self._fresh is None or self.pgconn.status != ConnStatus.OK:  # it will not be handed out again
            return False
        client, server = self._fresh
        client.put_back(self)
        if self.lent is Pooler.TRANSACTION:
            self.altered = False  # the session is not ours: a reset would reach whichever is free
            return False
        self._moved = reported(self.pgconn) != server
        return self.altered or self._moved

    def stale(self) -> bool:
        """Whether this idle connection can no longer be used."""
        watched = self._watched
        if watched is None:
            watched = self._watched = _watch(self.pgconn.socket)
        return bool(watched(0)) or self.pgconn.status != ConnStatus.OK

    def reusable(self) -> bool:
        """Whether it is open, idle and outside of any transaction, also of one in two phases or left half-way."""
        return (
            self.pgconn.transaction_status == TransactionStatus.IDLE
            and self._pipeline is None
            and self._tpc is None
            and not self._num_transactions
        )

    def unfinished(self) -> bool:
        """Whether it is open and in the middle of a transaction or a statement."""
        return self.pgconn.transaction_status not in _AT_REST

    def role_now(self) -> Role:
        """What its server says it is; the server tells with every answer, so this costs no round trip."""
        try:
            return role_of(self.pgconn.parameter_status)
        except OperationalError:  # closed in the meantime
            return self.role

    def role_changed(self) -> bool:
        """Whether its server says that it is something else than when it was opened."""
        return self._moved and self.role_now() is not self.role

    def cut(self) -> None:
        """End it although somebody waits for an answer, who then gets an error at once."""
        # Shutting down instead of closing: the descriptor's number must not be reused while it is waited for.
        self.is_cut = True
        with suppress(OSError, OperationalError), socket.socket(fileno=os.dup(self.pgconn.socket)) as twin:
            twin.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Close at once, without waiting for anybody."""
        self.pgconn.finish()

    def late(self) -> DeadlineExceeded:
        """The error of a borrower whose deadline has passed."""
        return deadline_passed(None if self.watch is None else self.watch.name)


class Connection(Remembered, AsyncConnection[Any]):
    """A connection of asyncio's pool."""

    _stopping: asyncio.Timeout | None = None
    _ending: set[asyncio.Task[None]] = set()  # noqa: RUF012 - of all connections: the loop itself keeps no task alive

    def __init__(self, pgconn: PGconn, row_factory: AsyncRowFactory[Any] = tuple_row) -> None:
        super().__init__(pgconn, row_factory)
        self.cursor_factory = Cursor
        self.server_cursor_factory = ServerCursor

    async def wait(self, gen: PQGen[_Result], interval: float = _INTERVAL, timeout: float | None = None) -> _Result:
        """Drive a driver's operation to its end; DeadlineExceeded when the caller's deadline comes first."""
        self.look_at(gen)
        expires, now, _ = SCOPE.get()
        if expires != inf:
            left = expires - now()
            if left <= 0:
                raise self.late()
            if timeout is None or left < timeout:
                return await self._wait_until_deadline(gen, interval, left)
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval=interval, timeout=timeout)
        except asyncio.CancelledError:
            await self._stop_statement(gen)
            raise

    async def _wait_until_deadline(self, gen: PQGen[_Result], interval: float, left: float) -> _Result:
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval=interval, timeout=left + _GRACE)
        except asyncio.CancelledError:
            await self._stop_statement(gen)
            raise
        except _WaitTimeout as error:
            await self._stop_statement(gen)
            raise self.late() from error

    def abandon(self) -> None:
        """End it now, as `cut` does, and ask the server to end what it still works on, without waiting for that."""
        with suppress(OperationalError):
            request = self.pgconn.cancel_conn()
            task = asyncio.get_running_loop().create_task(_send(request))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        self.cut()

    async def _stop_statement(self, gen: PQGen[Any]) -> None:
        if self.is_cut:
            self.drop()
            return
        # The driver's own way asks once and waits for five seconds; but a request that overtakes its
        # statement is ignored by the server, so it is asked again.
        try:
            async with asyncio.timeout(max(LATE_SECONDS, time_left(_CANCEL_SECONDS))) as self._stopping:
                while self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                    await self.cancel_safe(timeout=_CANCEL_SECONDS)
                    with suppress(OperationalError):  # cancelled as wanted, or not yet
                        await waiting.wait_async(gen, self.pgconn.socket, interval=_INTERVAL, timeout=_CANCEL_AGAIN)
        except (TimeoutError, OperationalError):
            self.drop()
        finally:
            self._stopping = None

    def cut(self) -> None:
        """End it although somebody waits for an answer, or for the statement to be stopped."""
        super().cut()
        if self._stopping is not None and not self._stopping.expired():  # one that expires ends the wait by itself
            self._stopping.reschedule(asyncio.get_running_loop().time())


async def _send(request: PGcancelConn) -> None:
    """Send a request to cancel; nobody waits for it, so a server that does not take it has a second."""
    with suppress(Error):
        request.start()
        await waiting.wait_conn_async(generators.cancel(request), interval=_INTERVAL, timeout=_CANCEL_SECONDS)


if sys.platform == "win32":

    def _watch(fd: int) -> Any:
        return lambda seconds: select.select([fd], [], [], seconds)[0]

else:

    def _watch(fd: int) -> Any:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        return poller.poll
