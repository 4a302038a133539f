"""What a pool knows about one of its connections, of either flavour, and finds out without asking the server.

Promises: `stale` costs microseconds and never blocks: an idle PostgreSQL session has nothing to say, so a socket that is
readable or closed belongs to a session that ended. A connection that died without a word (a cut cable) is found by TCP
keepalives, not here.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any
from weakref import ref

from psycopg import BaseConnection, OperationalError
from psycopg.pq import ConnStatus, DiagnosticField, TransactionStatus

from esteio.postgres._deadline import deadline_passed
from esteio.postgres._hosts import Host, Role, role_of
from esteio.postgres._outcome import Incarnation
from esteio.postgres._pooler import Pooler
from esteio.postgres._psycopg import SENDING
from esteio.postgres._restore import REPORTED, ClientState, changes_session, reported
from esteio.postgres._watch import Watch

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from esteio.policy import DeadlineExceeded

__all__ = ["PooledConnectionMixin"]

_AT_REST = (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)


class PooledConnectionMixin(BaseConnection[Any]):
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
    unreplicated: bool = False
    """Whether its server said that it stopped waiting for a synchronous standby; it acknowledges that COMMIT all the same."""
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

    def heed_notices(self) -> None:
        """From now on note what the server says of a COMMIT that no standby has confirmed."""
        # Weak as in psycopg, whose own handler follows: a cycle would keep a lost connection from being closed.
        self.pgconn.notice_handler = partial(_noticed, ref[BaseConnection[Any]](self))

    def announce(self, sql: str) -> None:
        """A cursor of ours is about to send `sql`."""
        self._announced = True
        if not self.altered:
            self.altered = changes_session(sql)

    def look_at(self, operation: Any) -> None:
        """`operation` is about to run; the statement of a cursor that is not ours may change anything."""
        if getattr(operation, "gi_code", None) in SENDING:
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
        pgconn = self.pgconn
        if self._fresh is None or pgconn.status != ConnStatus.OK:  # it will not be handed out again
            return False
        client, server = self._fresh
        client.put_back(self)
        if self.lent is Pooler.TRANSACTION:
            self.altered = False  # the session is not ours: a reset would reach whichever is free
            return False
        self._moved = moved = tuple(map(pgconn.parameter_status, REPORTED)) != server
        return self.altered or moved

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

    def late(self) -> DeadlineExceeded:
        """The error of a borrower whose deadline has passed."""
        return deadline_passed(None if self.watch is None else self.watch.name)


def _noticed(connection: ref[BaseConnection[Any]], notice: PGresult) -> None:
    # By the function that says it (syncrep.c): its SQLSTATE is that of every warning, and its words are translated.
    found = connection()
    if (
        isinstance(found, PooledConnectionMixin)
        and notice.error_field(DiagnosticField.SOURCE_FUNCTION) == b"SyncRepWaitForLSN"
    ):
        found.unreplicated = True
    BaseConnection._notice_handler(connection, notice)  # noqa: SLF001 - what psycopg has there


if sys.platform == "win32":

    def _watch(fd: int) -> Any:
        return lambda seconds: select.select([fd], [], [], seconds)[0]

else:

    def _watch(fd: int) -> Any:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        return poller.poll
