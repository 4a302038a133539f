"""A bounded set of connections that heals itself.

Promises: a connection that ended while idle is replaced, never handed out; every wait has a limit and
the queue a length; after an outage the first connection is there within the reconnect delay, and a dead
server sees one attempt at a time from each pool. One sign that the server is gone or has changed its role
ends the whole generation of connections. A connection that idled for long is asked before it is handed out.
Whatever a borrower changed is undone before the next one gets the connection; where it cannot be undone the
connection is replaced. Belongs to one event loop; after a fork the child has to open it anew. A handed-out
connection must come back through `release`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from math import inf
from random import random
from time import monotonic
from typing import Any, Protocol

import psycopg

from esteio import events
from esteio.clock import SYSTEM, Clock
from esteio.policy._forks import renew_after_fork
from esteio.policy._scope import OPEN_END, SCOPE
from esteio.postgres._connection import Connection
from esteio.postgres._errors import DatabaseUnavailable, PoolExhausted, first_line
from esteio.postgres._histogram import Histogram
from esteio.postgres._leaks import Leaks
from esteio.postgres._ledger import Ledger
from esteio.postgres._limits import PoolLimits
from esteio.postgres._stats import DatabaseLost, DatabaseRestored, PoolStats

__all__ = ["PING_LEAST", "RESET_SECONDS", "UNFINISHED", "Pool", "anew"]

_logger = logging.getLogger("esteio.postgres")

_CONNECTORS = 4  # parallel attempts while the server answers; one while it does not
_SWEEP_EVERY = 1.0
_SPREAD = 0.1  # seconds over which the processes of a service refill their pools
_PING_SECONDS = 2.0
PING_LEAST = 0.05  # seconds for an answer, even of a caller who does not want to wait at all
RESET_SECONDS = 2.0
UNFINISHED = (
    "pool %s: the connection to backend %d came back in the middle of a transaction or a statement: it is closed, and"
    " what was not committed is undone; commit before the block ends, or use transaction()"
)


class Source(Protocol):
    """Where a pool gets its connections."""

    async def open(self) -> Connection:
        """A connection; any exception says that there is none now."""
        ...

    async def refresh(self, conn: Connection) -> None:
        """Make the session of `conn` what it was when it was opened; any exception says that it is not."""
        ...

    def wait(self) -> float:
        """Seconds until it makes sense to ask again."""
        ...

    def refusal(self) -> DatabaseUnavailable | None:
        """Why it makes no sense to wait, if that is so."""
        ...


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
        self._books: Ledger[Connection] = Ledger(limits.min_size, limits.max_size, limits.max_idle)
        self._limits = limits
        self._ping_after = limits.ping_after
        self._reset = reset
        self._clock = clock
        self._now = monotonic if clock is SYSTEM else clock.monotonic
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = "is not open"
        self._waiters: OrderedDict[asyncio.Future[Connection], None] = OrderedDict()
        self._connectors: set[asyncio.Task[None]] = set()
        self._chores: set[asyncio.Task[bool]] = set()  # pings and resets under way; each has its connection in use
        self._sweeper: asyncio.TimerHandle | None = None
        self._drained: asyncio.Event | None = None
        self._down_since: float | None = None
        self._last_error: str | None = None
        self._acquired = self._queued = self._served = self._timeouts = self._rejected = 0
        self._connects = self._connect_failures = 0
        self._waits = Histogram()
        self._leaks = None if leak_after is None else Leaks(name, leak_after, self._now)
        self._inherited: list[object] = []
        renew_after_fork(self)

    @property
    def is_open(self) -> bool:
        """Whether it hands out connections."""
        return not self._closed

    @property
    def in_use(self) -> int:
        """Connections handed out."""
        return len(self._books.used)

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
        if self._closed == "is closed":
            return
        await self._shut("is closed", timeout)
        left = self._books.in_use()  # referred to, so that none is lost with a task that has not begun yet
        for chore in tuple(self._chores):
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        for conn in left:
            if not conn.closed:
                _logger.warning("pool %s: a connection still in use after %g s is closed", self._name, timeout)
                conn.drop()

    async def drain(self, timeout: float) -> bool:
        """Turn callers away and close what is idle; whether within `timeout` seconds all others came back."""
        await self._shut("is draining", timeout)
        return not self._books.used

    def renew(self) -> None:
        """In a forked child: the sockets are the parent's, and must be neither used nor closed properly here."""
        books = self._books
        self._inherited.append((books, books.in_use()))  # dropping them would end the parent's sessions
        self._books = Ledger(books.min_size, books.max_size, books.max_idle)
        self._waiters.clear()
        self._connectors.clear()
        self._chores.clear()
        self._sweeper = self._drained = self._loop = None
        if not self._closed:
            self._closed = "was opened before this process was forked: open a database in each process"

    async def acquire(self, timeout: float | None = None) -> Connection:
        """A connection, within `timeout` seconds (the pool's own when None).

        DatabaseUnavailable when the server is away or the pool not open; PoolExhausted when all are in use.
        """
        wait = self._limits.timeout if timeout is None else timeout
        now = self._now()
        conn = self._books.take(now)
        if conn is not None and now - conn.idle_since > self._ping_after:
            conn = await self._first_that_answers(conn, wait)
            wait = max(0.0, wait - (self._now() - now))
        if conn is None:
            conn = await self._queue(wait)
            self._served += 1
        self._acquired += 1
        if self._leaks is not None:
            self._leaks.borrowed(conn)
        return conn

    def release(self, conn: Connection) -> None:
        """Give `conn` back; one that is broken or in the middle of something is replaced."""
        if conn.overdue and self._leaks is not None:
            self._leaks.returned(conn)
        conn.borrowed_at = inf
        # The session is reset by a task of its own: the borrower need not wait, and the connection is in use until then.
        if (conn.put_back() or self._reset is not None) and not self._closed and self._worth_a_reset(conn):
            self._begin(self._refresh(conn), "reset")
        else:
            self._returned(conn)

    def resize(self, min_size: int | None, max_size: int | None) -> None:
        """Keep at least `min_size` connections open and at most `max_size`, from now on; None: as before."""
        self._limits = limits = self._limits.resized(min_size, max_size)
        self._books.resize(limits.min_size, limits.max_size)
        self._grow()

    def _returned(self, conn: Connection) -> None:
        books = self._books
        if self._closed:
            books.used.pop(id(conn), None)
            conn.drop()
            if self._drained is not None and not books.used:
                self._drained.set()
            return
        generation, lost = books.generation, books.lost
        if conn.unfinished():
            _logger.warning(UNFINISHED, self._name, conn.pid)
        if books.returned(conn, self._now(), wanted=bool(self._waiters)):
            self._offer(conn)
            return
        if books.generation != generation:
            self._retired("a server changed its role")
        elif books.lost != lost:
            self.check_idle()  # what ended this one may have ended others
        else:
            self._grow()

    def retire(self, conn: Connection, reason: str) -> None:
        """`conn`, in use, has shown that its server is gone or not what it was: no other to it is handed out."""
        if not self._closed and self._books.condemn(conn, self._now()):
            self._retired(reason)

    def retire_all(self, reason: str) -> None:
        """The server is no longer the one wanted."""
        self._books.retire()
        self._retired(reason)

    def stats(self) -> PoolStats:
        """The numbers of this moment."""
        return PoolStats(
            name=self._name,
            min_size=self._books.min_size,
            max_size=self._books.max_size,
            size=self._books.size,
            idle=len(self._books.idle),
            in_use=len(self._books.used),
            connecting=len(self._connectors),
            waiting=len(self._waiters),
            max_waiting=self._limits.max_waiting,
            acquired=self._acquired,
            queued=self._queued,
            wait_seconds=self._waits.seconds,
            timeouts=self._timeouts,
            rejected=self._rejected,
            connects=self._connects,
            connect_failures=self._connect_failures,
            lost=self._books.lost,
            down_for=None if self._down_since is None else self._now() - self._down_since,
            last_error=self._last_error,
            waits=self._waits.times(immediate=self._acquired - self._served),
            overdue=sum(conn.overdue for conn in self._books.in_use()),
            leaks=0 if self._leaks is None else self._leaks.found,
        )

    def check_idle(self) -> None:
        """Replace every idle connection that has ended, and those past their time."""
        self._books.sweep(self._now())
        self._grow()

    # Handing out

    def _begin(self, chore: Coroutine[Any, Any, bool], what: str) -> asyncio.Task[bool]:
        assert self._loop is not None
        task = self._loop.create_task(chore, name=f"pool {self._name}: {what}")
        self._chores.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self._chores.discard)
        return task

    async def _first_that_answers(self, conn: Connection, wait: float) -> Connection | None:
        """`conn`, or the next idle one whose server answers; None when there is none. For at most `wait` seconds."""
        expires = self._now() + max(wait, PING_LEAST)
        found: Connection | None = conn
        while found is not None and self._now() - found.idle_since > self._ping_after:
            # A task of its own: a caller who leaves must not make a server look dead that had no time to answer.
            ping = self._begin(self._ping(found), "ping")
            try:
                done, _ = await asyncio.wait({ping}, timeout=max(0.0, expires - self._now()))
            except BaseException:
                self._unwanted(ping, found)
                raise
            if not done:
                self._unwanted(ping, found)
                self._timeouts += 1
                reason = f"a connection that had idled got no answer within {wait:g} s"
                raise DatabaseUnavailable(self._name, reason, not_sent=True)
            if ping.cancelled():
                raise self._refusal()  # the pool was closed
            if ping.result():
                return found
            found = self._books.take(self._now())
        return found

    def _unwanted(self, ping: asyncio.Task[bool], conn: Connection) -> None:
        """The caller of `ping` has left: `conn` goes back when it is answered."""

        def back(ping: asyncio.Task[bool]) -> None:
            if not ping.cancelled() and ping.result():
                self._returned(conn)

        ping.add_done_callback(back)

    async def _ping(self, conn: Connection) -> bool:
        """Whether `conn`, in use, has a server at its other end; if not, it is replaced."""
        SCOPE.set(OPEN_END)  # of this task: it has a limit of its own
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await conn.execute("SELECT 1")
            if conn.generation == self._books.generation and conn.role_now() is conn.role:
                return True
        except (psycopg.Error, TimeoutError) as error:
            self.retire(conn, f"no answer after idling: {first_line(error)}")
            conn.drop()
        except BaseException:
            conn.drop()
            self._returned(conn)
            raise
        self._returned(conn)
        return False

    def _worth_a_reset(self, conn: Connection) -> bool:
        return conn.generation == self._books.generation and conn.reusable()

    async def _refresh(self, conn: Connection) -> bool:
        """Undo what the last borrower of `conn` left in the session, and give it back."""
        SCOPE.set(OPEN_END)  # of this task: the borrower's deadline has nothing to do with it
        try:
            async with asyncio.timeout(RESET_SECONDS):
                if self._reset is not None:
                    await self._reset(conn)
                if conn.put_back():
                    await self._source.refresh(conn)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody gets a session that is not as it was
            _logger.warning(
                "pool %s: a connection could not be reset and is replaced: %s", self._name, first_line(error)
            )
            conn.drop()
        except BaseException:
            conn.drop()
            raise
        finally:
            self._returned(conn)
        return True

    async def _queue(self, timeout: float) -> Connection:
        if self._closed:
            raise self._refusal()
        hopeless = self._source.refusal()
        if hopeless is not None and not self._books.used:
            raise anew(hopeless)
        if len(self._waiters) >= self._limits.max_waiting:
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
            self._waits.observe(self._now() - began)

    def _expire(self, waiter: asyncio.Future[Connection], timeout: float) -> None:
        if not waiter.done():
            self._timeouts += 1
            waiter.set_exception(self._in_vain(timeout))

    def _offer(self, conn: Connection) -> None:
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                self._books.lend(conn)
                waiter.set_result(conn)
                return
        conn.idle_since = self._now()
        self._books.idle.append(conn)

    async def _shut(self, why: str, timeout: float) -> None:
        self._closed = why
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._turn_away(self._refusal())
        connectors = tuple(self._connectors)
        for task in connectors:
            task.cancel()
        await asyncio.gather(*connectors, return_exceptions=True)
        self._books.retire()
        if self._books.used:
            self._drained = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._drained.wait()

    def _turn_away(self, error: DatabaseUnavailable) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(anew(error))

    def _retired(self, reason: str) -> None:
        _logger.warning("pool %s: all connections are replaced: %s", self._name, reason)
        if self._waiters:
            self._grow()
        elif self._loop is not None:
            self._loop.call_later(_SPREAD * random(), self._grow)  # noqa: S311 - jitter

    def _refusal(self) -> DatabaseUnavailable:
        return DatabaseUnavailable(self._name, f"its pool {self._closed}", retry_after=None, not_sent=True)

    def _in_vain(self, waited: float) -> DatabaseUnavailable | PoolExhausted:
        if self._down_since is not None:
            away = self._now() - self._down_since
            reason = f"not reachable for {away:.1f} s ({self._last_error}), no connection within {waited:g} s"
            return DatabaseUnavailable(self._name, reason, not_sent=True)
        return PoolExhausted(
            self._name,
            waited=waited,
            in_use=len(self._books.used),
            size=self._books.size,
            max_size=self._books.max_size,
            waiting=len(self._waiters),
            max_waiting=self._limits.max_waiting,
        )

    # Growing and shrinking

    def _grow(self) -> None:
        if self._closed or self._loop is None:
            return
        limit = 1 if self._down_since is not None else _CONNECTORS
        while len(self._connectors) < min(limit, self._books.wanted(len(self._waiters))):
            task = self._loop.create_task(self._connector(), name=f"pool {self._name}: connect")
            self._connectors.add(task)

    async def _connector(self) -> None:
        """Open connections while some are wanted; during an outage only one connector goes on trying."""
        SCOPE.set(OPEN_END)  # of this task: a deadline of the caller whose need began it is not the connection's
        me = asyncio.current_task()
        assert me is not None
        try:
            while len(self._connectors) <= self._books.wanted(len(self._waiters)):
                generation = self._books.generation
                try:
                    conn = await self._source.open()
                except Exception as error:  # noqa: BLE001 - whatever it is, callers hear of it and attempts go on
                    self._failed(error)
                    if next(iter(self._connectors)) is not me:
                        return
                    await self._clock.sleep_async(max(0.001, self._source.wait()))
                else:
                    try:
                        self._connected(conn, generation)
                    except BaseException:
                        conn.drop()
                        raise
        except Exception:
            _logger.exception(
                "pool %s: connecting ended by an error of ours; it begins again within a second", self._name
            )
        finally:
            self._connectors.discard(me)  # here and not when the task is done: who queues meanwhile counts on it

    def _connected(self, conn: Connection, generation: int) -> None:
        if generation != self._books.generation:
            conn.drop()  # opened before the sign came that ended its generation: it may lead to the old server
            return
        now = self._now()
        self._connects += 1
        conn.generation = generation
        conn.expires_at = now + self._limits.max_lifetime * (0.9 + 0.1 * random())  # noqa: S311 - jitter
        if self._down_since is not None:
            seconds = now - self._down_since
            self._down_since = None
            _logger.warning("database %s is back after %.2f s", self._name, seconds)
            events.emit(DatabaseRestored(self._name, seconds))
        self._offer(conn)
        self._grow()

    def _failed(self, error: Exception) -> None:
        self._connect_failures += 1
        self._last_error = first_line(error)
        if self._down_since is None:
            self._down_since = self._now()
            _logger.warning("database %s cannot be reached: %s", self._name, self._last_error)
            events.emit(DatabaseLost(self._name, self._last_error))
        hopeless = self._source.refusal()
        if hopeless is not None and not self._books.used:
            self._turn_away(hopeless)

    def _schedule_sweep(self) -> None:
        assert self._loop is not None
        self._sweeper = self._loop.call_later(_SWEEP_EVERY * (0.75 + 0.5 * random()), self._sweep)  # noqa: S311

    def _sweep(self) -> None:
        try:
            self._cut_hung()
            if self._leaks is not None:
                self._leaks.report(self._leaks.look(self._books.in_use()))
            self.check_idle()
        except Exception:
            _logger.exception("pool %s: the look at all connections failed; the next one follows", self._name)
        finally:
            self._schedule_sweep()

    def _cut_hung(self) -> None:
        now = self._now()
        for conn in self._books.in_use():
            if conn.cut_at < now:
                conn.cut()


def anew(error: DatabaseUnavailable) -> DatabaseUnavailable:
    """A copy of `error` for one caller: an exception that is raised carries that caller's traceback."""
    copy = error.__class__.__new__(error.__class__, *error.args)
    copy.args = error.args
    copy.__dict__.update(error.__dict__)
    return copy
