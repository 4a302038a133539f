"""A bounded set of connections that heals itself.

Promises: a connection that ended while idle is replaced, never handed out; every wait has a limit and the queue a
length, first come first served; after an outage the first connection is there within the reconnect delay, and a dead
server sees one attempt at a time from each pool. One sign that the server is gone or has changed its role ends the
whole generation of connections. A connection that idled for long is asked before it is handed out. Whatever a borrower
changed is undone before the next one gets the connection; where it cannot be undone the connection is replaced. After a
fork the child has to open it anew. A handed-out connection must come back through `release`.

Here is how connections are handed out and come back. Which there are says `_state.py`, who waits `_waiting_queue.py`;
both stand in `_guarded.py` with the lock and its discipline. In the background `_connectors.py` opens connections,
`_resets.py` makes their sessions fit for the next borrower, and `_sweep.py` looks after all once a second.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from math import inf
from time import monotonic

import psycopg

from esteio.clock import SYSTEM, Clock
from esteio.policy._forks import renew_after_fork
from esteio.policy._scope import OPEN_END, SCOPE, leave
from esteio.postgres._concurrency import Gate, Signal
from esteio.postgres._connection import Connection
from esteio.postgres._connectors import Connectors, Source
from esteio.postgres._errors import DatabaseUnavailable, copy_error, first_line
from esteio.postgres._guarded import Guarded
from esteio.postgres._leaks import Leaks
from esteio.postgres._limits import PoolLimits
from esteio.postgres._resets import Resets
from esteio.postgres._stats import PoolStats
from esteio.postgres._sweep import Sweep
from esteio.postgres._waiting_queue import Waiter

__all__ = ["Pool"]

_logger = logging.getLogger("esteio.postgres")

_PING_SECONDS = 2.0
_PING_LEAST = 0.05  # seconds for an answer, even of a caller who does not want to wait at all
_UNFINISHED = (
    "pool %s: the connection to backend %d came back in the middle of a transaction or a statement: it is closed, and"
    " what was not committed is undone; commit before the block ends, or use transaction()"
)


class Pool:
    """Hands out connections from `source`, within `limits`.

    One that idled for `ping_after` seconds is asked for an answer first; none lives longer than `max_lifetime`
    seconds, less up to a tenth at random; those above `min_size` end after `max_idle` idle seconds. `reset` is
    called with each connection that comes back.
    """

    def __init__(
        self,
        source: Source,
        limits: PoolLimits,
        *,
        name: str,
        reset: Callable[[Connection], Awaitable[None]] | None = None,
        leak_after: float | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._source = source
        self._name = name
        self._ping_after = limits.ping_after
        self._reset = reset
        self._now = monotonic if clock is SYSTEM else clock.monotonic
        self._guarded = Guarded(name, limits, self._now)
        self._leaks = None if leak_after is None else Leaks(name, leak_after, self._now)
        self._immediate = 0  # handed out without a wait
        self._inherited: list[object] = []
        self._assemble()
        renew_after_fork(self)

    def _assemble(self) -> None:
        """What works in the background, with nothing under way."""
        self._connectors = Connectors(self._guarded, self._source)
        self._sweep = Sweep(self._guarded, self._connectors.grow, self._leaks)
        self._resets = Resets(self._guarded, self._source.refresh, self._reset, self._sweep.bound, self._returned)
        self._returned_all = Signal()

    @property
    def is_open(self) -> bool:
        """Whether it hands out connections."""
        return not self._guarded.closed

    @property
    def in_use(self) -> int:
        """Connections handed out."""
        return len(self._guarded.state.used)

    # Opening and closing

    def open(self) -> None:
        """Begin to connect; returns at once, whether or not there is a server."""
        with self._guarded.lock:
            if not self._guarded.closed:
                return
            self._sweep.start()  # RuntimeError when the system has no thread for us: then the pool is not open
            self._guarded.closed = ""
            self._connectors.start()

    def stop(self, why: str) -> None:
        """Turn callers away, who are told that the pool `why`, and close what is idle."""
        guarded = self._guarded
        with guarded.lock:
            guarded.closed = why
            self._sweep.stop()
            guarded.queue.refuse_all(guarded.refusal(), self._now())
            self._returned_all.clear()
            guarded.state.invalidate_all()
            self._connectors.stop()

    async def close(self, timeout: float) -> None:
        """Turn callers away, wait up to `timeout` seconds for those who have a connection, close everything."""
        guarded = self._guarded
        if guarded.closed == "is closed":
            return
        self.stop("is closed")
        await self._wait_for_all(timeout)
        with guarded.lock:
            left = guarded.state.in_use()
        for conn in left:
            if not conn.closed:
                _logger.warning("pool %s: a connection still in use after %g s is cut", self._name, timeout)
                conn.abandon()  # closed when it is given back
        await self._resets.cancel()

    async def drain(self, timeout: float) -> bool:
        """Turn callers away and close what is idle; whether within `timeout` seconds all others came back."""
        self.stop("is draining")
        await self._wait_for_all(timeout)
        return not self._guarded.state.used

    async def _wait_for_all(self, timeout: float) -> None:
        """Return when all connections have come back and nothing runs in the background, at most `timeout` seconds."""
        until = self._now() + timeout
        with self._guarded.lock:
            busy = bool(self._guarded.state.used)
            connecting = self._connectors.under_way()
        if busy:
            await self._returned_all.wait(timeout)
        for worker in connecting:
            await worker.join(max(0.1, until - self._now()))
        await self._sweep.join(max(0.1, until - self._now()))

    def renew(self) -> None:
        """In a forked child: the sockets are the parent's, and must be neither used nor closed properly here."""
        guarded = self._guarded
        self._inherited.append((guarded.state, guarded.state.in_use()))  # dropping them would end the parent's sessions
        guarded.renew()
        self._assemble()
        if not guarded.closed:
            guarded.closed = "was opened before this process was forked: open a database in each process"

    # Handing out and taking back

    async def acquire(self, timeout: float | None = None, *, away_after: float | None = None) -> Connection:
        """A connection, within `timeout` seconds (the pool's own when None).

        DatabaseUnavailable when the server is away or the pool not open; PoolExhausted when all are in use. With
        `away_after` one of them is raised as soon as for that many seconds there was no connection at all, in use or not:
        who would rather go elsewhere than wait for a server that is gone.
        """
        guarded = self._guarded
        wait = guarded.limits.timeout if timeout is None else timeout
        now = self._now()
        with guarded.lock:
            conn = guarded.state.take(now) if guarded.state.idle else None
            if conn is None:
                waiter = self._enter_queue(now, impatient=away_after is not None)
            elif idled := now - conn.idle_since > self._ping_after:
                pass
            else:
                self._immediate += 1
        if conn is None:
            conn = await self._wait(waiter, wait, away_after)
        elif idled:
            conn = await self._first_that_answers(conn, wait)
            if conn is None:  # then there is none idle
                return await self.acquire(max(0.0, wait - (self._now() - now)), away_after=away_after)
            with guarded.lock:
                self._immediate += 1
        if self._leaks is not None:
            self._leaks.borrowed(conn)
        return conn

    def release(self, conn: Connection) -> None:
        """Give `conn` back; one that is broken or in the middle of something is replaced."""
        if conn.overdue and self._leaks is not None:
            self._leaks.returned(conn)
        conn.borrowed_at = inf
        try:
            reset = self._resets.needed(conn)
        except BaseException:
            conn.drop()
            self._returned(conn)
            raise
        if reset:
            self._resets.begin(conn)
        else:
            self._returned(conn)

    def _returned(self, conn: Connection) -> None:
        if conn.unfinished():
            _logger.warning(_UNFINISHED, self._name, conn.pid)
        guarded = self._guarded
        with guarded.lock:
            state = guarded.state
            conn.cut_at = inf
            if guarded.closed:
                state.used.pop(id(conn), None)
                conn.drop()
                if not state.used:
                    self._returned_all.set()
                return
            generation, lost = state.generation, state.lost
            now = self._now()
            if state.returned(conn, now, wanted=bool(guarded.queue.waiters)):
                guarded.offer(conn, now)
                return
            if state.generation == generation:
                if state.lost != lost:
                    state.sweep(now)  # what ended this one may have ended others
                self._connectors.grow()
                return
        self._replace_all("a server changed its role")

    # Waiting in the queue

    def _enter_queue(self, now: float, *, impatient: bool) -> Waiter:
        """A place in the queue; the error of a caller for whom waiting makes no sense. With the lock held."""
        guarded = self._guarded
        if guarded.closed:
            raise guarded.refusal()
        if guarded.down_since is not None and not guarded.state.used:
            hopeless = self._source.refusal()
            if hopeless is not None:
                raise copy_error(hopeless)
        if impatient and guarded.down_since is not None and not guarded.state.size:
            raise guarded.in_vain(0.0)
        if guarded.queue.is_full:
            guarded.queue.rejected += 1
            raise guarded.in_vain(0.0)
        waiter = guarded.queue.enter(now)
        if guarded.state.size < guarded.limits.max_size:
            self._connectors.grow()
        return waiter

    async def _wait(self, waiter: Waiter, timeout: float, away_after: float | None) -> Connection:
        guarded = self._guarded
        try:
            if away_after is None:
                await waiter.gate.wait(timeout)
            else:
                await self._wait_while_connected(waiter, timeout, away_after)
        except BaseException:
            with guarded.lock:
                guarded.queue.leave(waiter)
            if waiter.conn is not None:
                self.release(waiter.conn)  # handed over in the moment in which the caller was interrupted
            raise
        if waiter.conn is None and waiter.error is None:
            with guarded.lock:
                if guarded.queue.time_is_up(waiter, self._now()):  # else it was answered in this very moment
                    waiter.error = guarded.in_vain(timeout)
        if waiter.conn is not None:
            return waiter.conn
        assert waiter.error is not None
        raise waiter.error

    async def _wait_while_connected(self, waiter: Waiter, timeout: float, away_after: float) -> None:
        """Return as its gate does, or when there is no connection left that could come back to this caller."""
        guarded = self._guarded
        while timeout > away_after:
            await waiter.gate.wait(away_after)
            timeout -= away_after
            with guarded.lock:
                if waiter.conn is not None or waiter.error is not None or not guarded.state.size:
                    return
                waiter.gate = Gate()  # one that let go once does not hold again
        await waiter.gate.wait(timeout)

    # Asking a connection that idled for long

    async def _first_that_answers(self, conn: Connection, wait: float) -> Connection | None:
        """`conn`, or the next idle one whose server answers; None when there is none. For at most `wait` seconds."""
        guarded = self._guarded
        expires = self._now() + max(wait, _PING_LEAST)
        found: Connection | None = conn
        while found is not None and self._now() - found.idle_since > self._ping_after:
            if await self._answers(found, expires):
                return found
            if guarded.closed:
                raise guarded.refusal()
            if self._now() >= expires:
                with guarded.lock:
                    guarded.queue.timeouts += 1
                reason = f"a connection that had idled got no answer within {wait:g} s"
                raise DatabaseUnavailable(self._name, reason, not_sent=True)
            with guarded.lock:
                found = guarded.state.take(self._now())
        return found

    async def _answers(self, conn: Connection, expires: float) -> bool:
        """Whether `conn`, in use, has a server at its other end; if not, it is replaced."""
        limit = self._now() + _PING_SECONDS
        self.bound(conn, min(limit, expires))
        scope = SCOPE.set(OPEN_END)  # it has a limit of its own
        try:
            await conn.execute("SELECT 1")
            if conn.generation == self._guarded.state.generation and conn.role_now() is conn.role:
                conn.cut_at = inf
                return True
        except psycopg.Error as error:
            # A caller with less time than a living server needs has shown nothing.
            if not conn.is_cut or limit <= expires:
                self.invalidate(conn, f"no answer after idling: {first_line(error)}", silent=True)
            conn.drop()
        except BaseException:
            self._returned(conn)  # of a caller who was interrupted: what the statement left it fit for
            raise
        finally:
            leave(scope)
        self._returned(conn)
        return False

    # What callers find out, and what they want

    def bound(self, conn: Connection, cut_at: float) -> None:
        """From monotonic second `cut_at` on whoever waits for `conn`, in use, gets an error; until it comes back."""
        self._sweep.bound(conn, cut_at)

    def bound_for(self, conn: Connection, seconds: float) -> None:
        """The same, `seconds` from now."""
        self._sweep.bound(conn, self._now() + seconds)

    def has_cut(self, conn: Connection) -> bool:
        """Whether the bound of `conn` has passed, and ended the wait for it."""
        return conn.is_cut and conn.cut_at <= self._now()

    def invalidate(self, conn: Connection, reason: str, *, silent: bool = False) -> None:
        """`conn`, in use, has shown that its server is gone or not what it was: no other to it is handed out.

        `silent`: we have cut it ourselves, because a living server would have answered by then.
        """
        guarded = self._guarded
        with guarded.lock:
            if guarded.closed or not guarded.state.invalidate(conn, self._now(), silent=silent):
                return
        self._replace_all(reason)

    def invalidate_all(self, reason: str) -> None:
        """The server is no longer the one wanted."""
        with self._guarded.lock:
            self._guarded.state.invalidate_all()
        self._replace_all(reason)

    def _replace_all(self, reason: str) -> None:
        """Open a new generation of connections: at once when somebody waits, else in a moment."""
        _logger.warning("pool %s: all connections are replaced: %s", self._name, reason)
        with self._guarded.lock:
            if self._guarded.queue.waiters:
                self._connectors.grow()
            else:
                self._sweep.refill_soon()

    def resize(self, min_size: int | None, max_size: int | None) -> None:
        """Keep at least `min_size` connections open and at most `max_size`, from now on; None: as before."""
        guarded = self._guarded
        with guarded.lock:
            guarded.limits = limits = guarded.limits.resized(min_size, max_size)
            guarded.state.resize(limits.min_size, limits.max_size)
            self._connectors.grow()

    def stats(self) -> PoolStats:
        """The numbers of this moment."""
        guarded = self._guarded
        with guarded.lock:
            state, queue = guarded.state, guarded.queue
            return PoolStats(
                name=self._name,
                min_size=state.min_size,
                max_size=state.max_size,
                size=state.size,
                idle=len(state.idle),
                in_use=len(state.used),
                connecting=len(self._connectors),
                waiting=len(queue.waiters),
                max_waiting=queue.max_waiting,
                acquired=self._immediate + queue.served,
                queued=queue.queued,
                wait_seconds=queue.wait_seconds,
                timeouts=queue.timeouts,
                rejected=queue.rejected,
                connects=self._connectors.connects,
                connect_failures=self._connectors.failures,
                lost=state.lost,
                down_for=None if guarded.down_since is None else self._now() - guarded.down_since,
                last_error=guarded.last_error,
                waits=queue.times(immediate=self._immediate),
                overdue=sum(conn.overdue for conn in state.in_use()),
                leaks=0 if self._leaks is None else self._leaks.found,
            )
