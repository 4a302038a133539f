# Generated from ../_resolution.py by tools/async_to_sync.py: change that file and run the tool.
"""Finding out what became of a COMMIT whose answer was lost.

Promises: asks the database, over a new connection, until it is certain or time is up; a backend of ours that
still holds the transaction is given a second to finish, then told to end, where that is permitted.
"""

from __future__ import annotations

from math import inf
from random import random

import psycopg
from psycopg.rows import tuple_row

from esteio import events
from esteio.clock import Clock
from esteio.policy import DeadlineExceeded
from esteio.postgres._attempts import classify
from esteio.postgres._backoff import reconnect_delay
from esteio.postgres._deadline import time_left
from esteio.postgres._errors import DatabaseUnavailable, PoolExhausted, first_line
from esteio.postgres._events import CommitResolved
from esteio.postgres._identity import ORIGIN, read_origin
from esteio.postgres._outcome import History, Incarnation, Outcome, Ticket, explained, judge
from esteio.postgres.sync._concurrency import Lock
from esteio.postgres.sync._connection import SyncConnection
from esteio.postgres.sync._pool import Pool

__all__ = ["Resolver"]

PATIENCE = 1.0
STATUS = "SELECT pg_xact_status(%s::xid8)"
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_xid = %s::xid8::xid"


class Resolver:
    """Settles the lost commits of one database."""

    def __init__(self, pool: Pool, history: History, *, name: str, limit: float, clock: Clock) -> None:
        self.name = name
        self.history = history
        self.committed = self.aborted = self.unknown = 0
        self._pool = pool
        self._limit = limit
        self._clock = clock
        self._lock = Lock()  # of the counters

    def outcome(self, ticket: Ticket, expires: float = inf) -> tuple[Outcome, str]:
        """What became of it, and why not more is known; by `expires`, the caller's deadline, or the pool's timeout."""
        began = self._clock.monotonic()
        expires = min(expires, began + time_left(self._limit))
        outcome, reason = Outcome.RUNNING, "the server was not reachable again in time"
        asked = 0
        while outcome is Outcome.RUNNING and (now := self._clock.monotonic()) < expires:
            asked += 1
            try:
                outcome, reason = self._ask(ticket, expires - now, terminate=now - began > PATIENCE)
            except (DatabaseUnavailable, PoolExhausted, DeadlineExceeded) as error:
                reason = str(error)
                if not self._pool.is_open:
                    break
            if outcome is Outcome.RUNNING:
                self._clock.sleep(reconnect_delay(asked, now - began, random=random))
        self._count(outcome)
        if events.active():
            events.emit(CommitResolved(self.name, ticket.xid, outcome))
        return outcome, reason

    def _ask(self, ticket: Ticket, left: float, *, terminate: bool) -> tuple[Outcome, str]:
        conn = self._pool.acquire(min(left, self._limit))
        self._pool.bound(conn, self._clock.monotonic() + left)
        try:
            current, status = self._look(conn, ticket.xid)
            outcome = judge(ticket.xid, ticket.life, current, status, self.history)
            if outcome is Outcome.RUNNING and terminate:
                _terminate(conn, ticket)
        except psycopg.Error as error:
            if not classify(error).ends_generation:
                return Outcome.UNKNOWN, first_line(error)
            self._pool.invalidate(conn, first_line(error))
            return Outcome.RUNNING, first_line(error)
        finally:
            self._pool.release(conn)
        return outcome, explained(ticket, current, status)

    def _look(self, conn: SyncConnection, xid: int) -> tuple[Incarnation | None, str | None]:
        if conn.life is not None:
            return conn.life, _status(conn, xid)
        if not conn.knows_origin:
            return None, None
        with conn.transaction():  # behind a proxy both answers must come from one server
            row = (conn.cursor(row_factory=tuple_row).execute(ORIGIN, prepare=False)).fetchone()
            _, life, start = read_origin(row or ())
            current = None if life is None else self.history.witness(life, start)
            return current, _status(conn, xid)

    def _count(self, outcome: Outcome) -> None:
        with self._lock:
            self.committed += outcome is Outcome.COMMITTED
            self.aborted += outcome is Outcome.ABORTED
            self.unknown += outcome in (Outcome.UNKNOWN, Outcome.RUNNING)


def _status(conn: SyncConnection, xid: int) -> str | None:
    try:
        with conn.transaction():  # a savepoint, where one is open already
            row = (conn.cursor(row_factory=tuple_row).execute(STATUS, [str(xid)])).fetchone()
    except psycopg.errors.InvalidParameterValue:
        return "future"
    return None if row is None else row[0]


def _terminate(conn: SyncConnection, ticket: Ticket) -> None:
    try:
        conn.execute(TERMINATE, [ticket.pid, str(ticket.xid)])
    except psycopg.errors.InsufficientPrivilege:
        return  # then it ends when it notices that nobody is there
