"""A bounded set of connections that heals itself.

Promises: a connection that ended while idle is replaced, never handed out; every wait has a limit and
the queue a length; after an outage the first connection is there within the reconnect delay, and a dead
server sees one attempt at a time from each pool. Belongs to one event loop. A handed-out connection must
come back through `release`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from random import random
from time import monotonic

from esteio import events
from esteio.clock import SYSTEM, Clock
from esteio.postgres._backoff import reconnect_delay
from esteio.postgres._connection import Connection
from esteio.postgres._errors import DatabaseUnavailable, PoolExhausted, first_line
from esteio.postgres._stats import DatabaseLost, DatabaseRestored, PoolStats

__all__ = ["Pool"]

_logger = logging.getLogger("esteio.postgres")

_CONNECTORS = 4  # parallel attempts while the server answers; one while it does not
_MAX_LIFETIME = 3600.0
_MAX_IDLE = 600.0
_SWEEP_EVERY = 1.0


class Pool:
    """Hands out connections made by `connect`, at most `max_size` of them at a time."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        *,
        name: str,
        min_size: int,
        max_size: int,
        timeout: float,
        max_waiting: int,
        clock: Clock = SYSTEM,
    ) -> None:
        self._connect = connect
        self._name = name
        self._min_size = min_size
        self._max_size = max_size
        self._timeout = timeout
        self._max_waiting = max_waiting
        self._clock = clock
        self._now = monotonic if clock is SYSTEM else clock.monotonic
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = "is not open"
        self._idle: deque[Connection] = deque()  # the most recently used at the right
        self._used: set[Connection] = set()
        self._waiters: OrderedDict[asyncio.Future[Connection], None] = OrderedDict()
        self._connectors: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._drained: asyncio.Event | None = None
        self._down_since: float | None = None
        self._failures = 0
        self._last_error: str | None = None
        self._acquired = self._queued = self._timeouts = self._rejected = 0
        self._connects = self._connect_failures = self._lost = 0
        self._wait_seconds = 0.0

    def open(self) -> None:
        """Begin to connect; returns at once, whether or not there is a server."""
        if not self._closed:
            return
        self._loop = asyncio.get_running_loop()
        self._closed = ""
        self._grow()
        self._schedule_sweep()

    async def close(self, timeout: float) -> None:
        """Turn callers away, wait up to `timeout` seconds for those who have a connection, close everything."""
        if self._closed:
            return
        self._closed = "is closed"
        if self._sweeper is not None:
            self._sweeper.cancel()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(self._refusal())
        for task in tuple(self._connectors):
            task.cancel()
        await asyncio.gather(*self._connectors, return_exceptions=True)
        self._connectors.clear()
        while self._idle:
            self._idle.pop().drop()
        if self._used:
            self._drained = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._drained.wait()
        for conn in self._used:
            _logger.warning("pool %s: a connection still in use after %g s is closed", self._name, timeout)
            conn.drop()

    async def acquire(self, timeout: float | None = None) -> Connection:
        """A connection, within `timeout` seconds (the pool's own when None).

        DatabaseUnavailable when the server is away or the pool not open; PoolExhausted when all are in use.
        """
        conn = self._take()
        if conn is None:
            conn = await self._queue(self._timeout if timeout is None else timeout)
        self._acquired += 1
        return conn

    def release(self, conn: Connection) -> None:
        """Give `conn` back; one that is broken or in the middle of something is replaced."""
        self._used.discard(conn)
        if self._closed:
            conn.drop()
            if self._drained is not None and not self._used:
                self._drained.set()
        elif not conn.reusable() or (self._waiters and conn.stale()):
            self._discard(conn)
        elif conn.expires_at <= self._now():
            conn.drop()
            self._grow()
        else:
            self._offer(conn)

    def stats(self) -> PoolStats:
        """The numbers of this moment."""
        return PoolStats(
            name=self._name,
            min_size=self._min_size,
            max_size=self._max_size,
            size=len(self._idle) + len(self._used),
            idle=len(self._idle),
            in_use=len(self._used),
            connecting=len(self._connectors),
            waiting=len(self._waiters),
            max_waiting=self._max_waiting,
            acquired=self._acquired,
            queued=self._queued,
            wait_seconds=self._wait_seconds,
            timeouts=self._timeouts,
            rejected=self._rejected,
            connects=self._connects,
            connect_failures=self._connect_failures,
            lost=self._lost,
            down_for=None if self._down_since is None else self._now() - self._down_since,
            last_error=self._last_error,
        )

    def check_idle(self) -> None:
        """Replace every idle connection that has ended, and those past their time."""
        now = self._now()
        for conn in tuple(self._idle):
            if conn.stale():
                self._lost += 1
            elif conn.expires_at > now and not self._superfluous(conn, now):
                continue
            self._idle.remove(conn)
            conn.drop()
        self._grow()

    # Handing out

    def _take(self) -> Connection | None:
        while self._idle:
            conn = self._idle.pop()
            if not conn.stale():
                self._used.add(conn)
                return conn
            self._lost += 1
            conn.drop()
        return None

    async def _queue(self, timeout: float) -> Connection:
        if self._closed:
            raise self._refusal()
        if len(self._waiters) >= self._max_waiting:
            self._rejected += 1
            raise self._in_vain(0.0)
        assert self._loop is not None
        waiter: asyncio.Future[Connection] = self._loop.create_future()
        self._waiters[waiter] = None
        self._queued += 1
        self._grow()
        timer = self._loop.call_later(timeout, self._expire, waiter, timeout)
        began = self._now()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release(waiter.result())  # handed over in the same turn in which the caller left
            raise
        finally:
            timer.cancel()
            self._waiters.pop(waiter, None)
            self._wait_seconds += self._now() - began

    def _expire(self, waiter: asyncio.Future[Connection], timeout: float) -> None:
        if not waiter.done():
            self._timeouts += 1
            waiter.set_exception(self._in_vain(timeout))

    def _offer(self, conn: Connection) -> None:
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                self._used.add(conn)
                waiter.set_result(conn)
                return
        conn.idle_since = self._now()
        self._idle.append(conn)

    def _discard(self, conn: Connection) -> None:
        self._lost += 1
        conn.drop()
        self.check_idle()  # what ended this one has probably ended the others

    def _refusal(self) -> DatabaseUnavailable:
        return DatabaseUnavailable(self._name, f"its pool {self._closed}", retry_after=None)

    def _in_vain(self, waited: float) -> DatabaseUnavailable | PoolExhausted:
        if self._down_since is not None:
            away = self._now() - self._down_since
            reason = f"not reachable for {away:.1f} s ({self._last_error}), no connection within {waited:g} s"
            return DatabaseUnavailable(self._name, reason)
        return PoolExhausted(
            self._name,
            waited=waited,
            in_use=len(self._used),
            size=len(self._idle) + len(self._used),
            max_size=self._max_size,
            waiting=len(self._waiters),
            max_waiting=self._max_waiting,
        )

    # Growing and shrinking

    def _wanted(self) -> int:
        """Connections to be opened now, those being opened included."""
        size = len(self._idle) + len(self._used)
        return min(max(self._min_size - size, len(self._waiters)), self._max_size - size)

    def _grow(self) -> None:
        if self._closed or self._loop is None:
            return
        limit = 1 if self._down_since is not None else _CONNECTORS
        while len(self._connectors) < min(limit, self._wanted()):
            task = self._loop.create_task(self._connector(), name=f"pool {self._name}: connect")
            self._connectors.add(task)

    async def _connector(self) -> None:
        """Open connections while some are wanted; during an outage only one connector goes on trying."""
        me = asyncio.current_task()
        assert me is not None
        try:
            while len(self._connectors) <= self._wanted():
                try:
                    conn = await self._connect()
                except Exception as error:  # noqa: BLE001 - whatever it is, callers hear of it and attempts go on
                    self._failed(error)
                    if next(iter(self._connectors)) is not me:
                        return
                    outage = self._now() - (self._down_since or self._now())
                    await self._clock.sleep_async(reconnect_delay(self._failures, outage))
                else:
                    self._connected(conn)
        finally:
            self._connectors.discard(me)  # here and not when the task is done: who queues meanwhile counts on it

    def _connected(self, conn: Connection) -> None:
        now = self._now()
        self._connects += 1
        conn.expires_at = now + _MAX_LIFETIME * (0.9 + 0.1 * random())  # noqa: S311 - jitter
        if self._down_since is not None:
            seconds = now - self._down_since
            self._down_since = None
            _logger.warning("database %s is back after %.2f s", self._name, seconds)
            events.emit(DatabaseRestored(self._name, seconds))
        self._failures = 0
        self._offer(conn)
        self._grow()

    def _failed(self, error: Exception) -> None:
        self._connect_failures += 1
        self._failures += 1
        self._last_error = first_line(error)
        if self._down_since is None:
            self._down_since = self._now()
            _logger.warning("database %s cannot be reached: %s", self._name, self._last_error)
            events.emit(DatabaseLost(self._name, self._last_error))

    def _superfluous(self, conn: Connection, now: float) -> bool:
        return now - conn.idle_since > _MAX_IDLE and len(self._idle) + len(self._used) > self._min_size

    def _schedule_sweep(self) -> None:
        assert self._loop is not None
        self._sweeper = self._loop.call_later(_SWEEP_EVERY * (0.75 + 0.5 * random()), self._sweep)  # noqa: S311

    def _sweep(self) -> None:
        self.check_idle()
        self._schedule_sweep()
