"""A bounded set of connections for threads, which heals itself.

Promises: what asyncio's pool promises: a connection that ended while idle is replaced, never handed out; every wait
has a limit and the queue a length, first come first served; a dead server sees one attempt at a time; one sign that
the server is gone or has changed its role ends the whole generation; what a borrower changed is undone before the next
one gets the connection. Background threads are daemons and end with `close`. After a fork the child has to open it
anew. A handed-out connection must come back through `release`.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from math import inf
from random import random
from threading import Event, Lock, RLock, Thread, current_thread
from time import monotonic
from typing import Protocol

import psycopg

from esteio import events
from esteio.clock import SYSTEM, Clock
from esteio.policy._forks import renew_after_fork
from esteio.policy._scope import OPEN_END, SCOPE, leave
from esteio.postgres._errors import DatabaseUnavailable, PoolExhausted, first_line
from esteio.postgres._histogram import Histogram
from esteio.postgres._leaks import Leaks
from esteio.postgres._ledger import Ledger
from esteio.postgres._limits import PoolLimits
from esteio.postgres._pool import PING_LEAST, RESET_SECONDS, UNFINISHED, anew
from esteio.postgres._stats import DatabaseLost, DatabaseRestored, PoolStats
from esteio.postgres.sync._connection import SyncConnection

__all__ = ["SyncPool"]

_logger = logging.getLogger("esteio.postgres")

_CONNECTORS = 4  # parallel attempts while the server answers; one while it does not
_SWEEP_EVERY = 1.0
_PING_SECONDS = 2.0
_UNCOUNTED = 64


class _Source(Protocol):
    def open(self) -> SyncConnection: ...
    def refresh(self, conn: SyncConnection) -> None: ...
    def wait(self) -> float: ...
    def refusal(self) -> DatabaseUnavailable | None: ...


class _Waiter:
    """A caller in the queue, until it has a connection or an error."""

    __slots__ = ("began", "conn", "error", "gate")

    def __init__(self, now: float) -> None:
        self.began = now
        self.gate = Lock()  # locked until there is an answer; an Event is three times as much work
        self.gate.acquire()
        self.conn: SyncConnection | None = None
        self.error: DatabaseUnavailable | PoolExhausted | None = None


class SyncPool:
    """Hands out connections from `source`, within `limits`; for any number of threads.

    `reset` is called with each connection that comes back, in the thread that gives it back.
    """

    def __init__(
        self,
        source: _Source,
        limits: PoolLimits,
        *,
        name: str,
        reset: Callable[[SyncConnection], None] | None = None,
        leak_after: float | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._source = source
        self._name = name
        self._books: Ledger[SyncConnection] = Ledger(limits.min_size, limits.max_size, limits.max_idle)
        self._limits = limits
        self._ping_after = limits.ping_after
        self._reset = reset
        self._now = monotonic if clock is SYSTEM else clock.monotonic
        # Held while the books are kept, never while a server is waited for. Reentrant because the garbage collector
        # may run a finalizer that gives a connection back, in any thread at any moment.
        self._lock = RLock()
        self._closed = "is not open"
        self._waiters: OrderedDict[_Waiter, None] = OrderedDict()
        self._connectors: OrderedDict[Thread, None] = OrderedDict()
        self._sweeper: Thread | None = None
        self._end = Event()
        self._returned_all = Event()
        self._alarm = Event()
        self._next_look = 0.0
        self._down_since: float | None = None
        self._last_error: str | None = None
        self._acquired = self._queued = self._timeouts = self._rejected = 0
        self._connects = self._connect_failures = 0
        self._waits = Histogram()
        self._uncounted: list[float] = []
        self._served = 0
        self._leaks = None if leak_after is None else Leaks(name, leak_after, self._now)
        self._inherited: list[object] = []
        renew_after_fork(self)

    @property
    def is_open(self) -> bool:
        """Whether callers are served."""
        return not self._closed

    def open(self) -> None:
        """Begin to connect; returns at once, whether or not there is a server."""
        with self._lock:
            if not self._closed:
                return
            end = Event()
            sweeper = Thread(target=self._sweep, args=(end,), name=f"pool {self._name}: sweep", daemon=True)
            sweeper.start()  # RuntimeError when the system has no thread for us: then the pool is not open
            self._closed, self._end, self._sweeper = "", end, sweeper
            self._grow()

    def close(self, timeout: float) -> None:
        """Turn callers away, wait up to `timeout` seconds for those who have a connection, close everything."""
        if self._closed == "is closed":
            return
        self._shut("is closed", timeout)
        with self._lock:
            left = tuple(self._books.in_use())
        for conn in left:
            _logger.warning("pool %s: a connection still in use after %g s is cut", self._name, timeout)
            conn.abandon()  # its thread closes it when it gives it back

    def drain(self, timeout: float) -> bool:
        """Turn callers away and close what is idle; whether within `timeout` seconds all others came back."""
        self._shut("is draining", timeout)
        return not self._books.used

    def renew(self) -> None:
        """In a forked child: the sockets are the parent's, and must be neither used nor closed properly here."""
        books = self._books
        self._inherited.append((books, books.in_use()))  # dropping them would end the parent's sessions
        self._books = Ledger(books.min_size, books.max_size, books.max_idle)
        self._lock, self._end, self._returned_all, self._alarm = RLock(), Event(), Event(), Event()
        self._waiters.clear()
        self._connectors.clear()
        self._sweeper = None
        if not self._closed:
            self._closed = "was opened before this process was forked: open a database in each process"

    def acquire(self, timeout: float | None = None) -> SyncConnection:
        """A connection, within `timeout` seconds (the pool's own when None).

        DatabaseUnavailable when the server is away or the pool not open; PoolExhausted when all are in use.
        """
        wait = self._limits.timeout if timeout is None else timeout
        now = self._now()
        with self._lock:
            conn = self._books.take(now) if self._books.idle else None
            if conn is None:
                waiter = self._enter(now)
            elif idled := now - conn.idle_since > self._ping_after:
                pass
            else:
                self._acquired += 1
        if conn is None:
            conn = self._wait(waiter, wait)
        elif idled:
            conn = self._first_that_answers(conn, wait)
            if conn is None:  # then there is none idle
                return self.acquire(max(0.0, wait - (self._now() - now)))
            with self._lock:
                self._acquired += 1
        if self._leaks is not None:
            self._leaks.borrowed(conn)
        return conn

    def release(self, conn: SyncConnection) -> None:
        """Give `conn` back; one that is broken or in the middle of something is replaced."""
        if conn.overdue and self._leaks is not None:
            self._leaks.returned(conn)
        conn.borrowed_at = inf
        try:
            if (conn.put_back() or self._reset is not None) and not self._closed and self._worth_a_reset(conn):
                self._refresh(conn)
        finally:
            self._returned(conn)

    def resize(self, min_size: int | None, max_size: int | None) -> None:
        """Keep at least `min_size` connections open and at most `max_size`, from now on; None: as before."""
        with self._lock:
            self._limits = limits = self._limits.resized(min_size, max_size)
            self._books.resize(limits.min_size, limits.max_size)
            self._grow()

    def _returned(self, conn: SyncConnection) -> None:
        if conn.unfinished():
            _logger.warning(UNFINISHED, self._name, conn.pid)
        with self._lock:
            books = self._books
            conn.cut_at = inf
            if self._closed:
                books.used.pop(id(conn), None)
                conn.drop()
                if not books.used:
                    self._returned_all.set()
                return
            generation, lost = books.generation, books.lost
            now = self._now()
            if books.returned(conn, now, wanted=bool(self._waiters)):
                self._offer(conn, now)
                return
            if books.lost != lost:
                books.sweep(self._now())  # what ended this one may have ended others
            self._grow()
        if books.generation != generation:
            self._retired("a server changed its role")

    def bound(self, conn: SyncConnection, cut_at: float) -> None:
        """From monotonic second `cut_at` on whoever waits for `conn`, in use, gets an error; until it comes back."""
        conn.cut_at = cut_at  # needs no lock: only who has the connection sets it
        if cut_at < self._next_look:
            self._alarm.set()

    def retire(self, conn: SyncConnection, reason: str, *, silent: bool = False) -> None:
        """`conn`, in use, has shown that its server is gone or not what it was: no other to it is handed out.

        `silent`: we have cut it ourselves, because a living server would have answered by then.
        """
        with self._lock:
            if self._closed or not self._books.condemn(conn, self._now(), silent=silent):
                return
            self._grow()
        self._retired(reason)

    def stats(self) -> PoolStats:
        """The numbers of this moment."""
        with self._lock:
            self._count_waits()
            books = self._books
            return PoolStats(
                name=self._name,
                min_size=books.min_size,
                max_size=books.max_size,
                size=books.size,
                idle=len(books.idle),
                in_use=len(books.used),
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
                lost=books.lost,
                down_for=None if self._down_since is None else self._now() - self._down_since,
                last_error=self._last_error,
                waits=self._waits.times(immediate=self._acquired - self._served),
                overdue=sum(conn.overdue for conn in books.in_use()),
                leaks=0 if self._leaks is None else self._leaks.found,
            )

    # Handing out

    def _first_that_answers(self, conn: SyncConnection, wait: float) -> SyncConnection | None:
        """`conn`, or the next idle one whose server answers; None when there is none. For at most `wait` seconds."""
        expires = self._now() + max(wait, PING_LEAST)
        found: SyncConnection | None = conn
        while found is not None and self._now() - found.idle_since > self._ping_after:
            if self._answers(found, expires):
                return found
            if self._now() >= expires:
                with self._lock:
                    self._timeouts += 1
                reason = f"a connection that had idled got no answer within {wait:g} s"
                raise DatabaseUnavailable(self._name, reason, not_sent=True)
            with self._lock:
                found = self._books.take(self._now())
        return found

    def _answers(self, conn: SyncConnection, expires: float) -> bool:
        """Whether `conn`, in use, has a server at its other end; if not, it is replaced."""
        limit = self._now() + _PING_SECONDS
        self.bound(conn, min(limit, expires))
        scope = SCOPE.set(OPEN_END)  # it has a limit of its own
        try:
            conn.execute("SELECT 1")
            if conn.generation == self._books.generation and conn.role_now() is conn.role:
                self.bound(conn, inf)
                return True
        except psycopg.Error as error:
            # A caller with less time than a living server needs has shown nothing.
            if not conn.is_cut or limit <= expires:
                self.retire(conn, f"no answer after idling: {first_line(error)}", silent=True)
            conn.drop()
        except BaseException:
            conn.drop()
            self._returned(conn)
            raise
        finally:
            leave(scope)
        self._returned(conn)
        return False

    def _worth_a_reset(self, conn: SyncConnection) -> bool:
        if conn.generation != self._books.generation or not conn.reusable():
            return False
        if self._lock._is_owned():  # type: ignore[attr-defined] # noqa: SLF001
            conn.drop()  # a finalizer, in a thread that is keeping the books: it must not wait for a server now
        return not conn.closed

    def _refresh(self, conn: SyncConnection) -> None:
        """Undo what the last borrower of `conn`, still in use, left in the session; if that fails, end it."""
        self.bound(conn, self._now() + RESET_SECONDS)
        scope = SCOPE.set(OPEN_END)  # the borrower's deadline, which may have passed, has nothing to do with it
        try:
            if self._reset is not None:
                self._reset(conn)
            if conn.put_back():
                self._source.refresh(conn)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody gets a session that is not as it was
            _logger.warning(
                "pool %s: a connection could not be reset and is replaced: %s", self._name, first_line(error)
            )
            conn.drop()
        except BaseException:
            conn.drop()
            raise
        finally:
            leave(scope)

    def _wait(self, waiter: _Waiter, timeout: float) -> SyncConnection:
        try:
            waiter.gate.acquire(True, max(0.0, timeout))
        except BaseException:
            with self._lock:
                self._waiters.pop(waiter, None)
            if waiter.conn is not None:
                self.release(waiter.conn)  # handed over in the moment in which the caller was interrupted
            raise
        if waiter.conn is None and waiter.error is None:
            self._give_up(waiter, timeout)
        if waiter.conn is not None:
            return waiter.conn
        assert waiter.error is not None
        raise waiter.error

    def _give_up(self, waiter: _Waiter, timeout: float) -> None:
        """Time is up for `waiter`, unless it was answered in this very moment."""
        with self._lock:
            if self._waiters.pop(waiter, waiter) is None:
                self._timeouts += 1
                self._waited(self._now() - waiter.began)
                waiter.error = self._in_vain(timeout)

    def _enter(self, now: float) -> _Waiter:
        """A place in the queue."""
        if self._closed:
            raise self._refusal()
        if self._down_since is not None and not self._books.used:
            hopeless = self._source.refusal()
            if hopeless is not None:
                raise anew(hopeless)
        if len(self._waiters) >= self._limits.max_waiting:
            self._rejected += 1
            raise self._in_vain(0.0)
        waiter = _Waiter(now)
        self._waiters[waiter] = None
        self._queued += 1
        if self._books.size < self._limits.max_size:
            self._grow()
        return waiter

    def _waited(self, seconds: float) -> None:
        # Counted many at once, which is cheaper than one with each hand-over.
        self._uncounted.append(seconds)
        if len(self._uncounted) >= _UNCOUNTED:
            self._count_waits()

    def _count_waits(self) -> None:
        for seconds in self._uncounted:
            self._waits.observe(seconds)
        self._uncounted.clear()

    def _offer(self, conn: SyncConnection, now: float) -> None:
        if self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            self._books.lend(conn)
            self._acquired += 1
            self._served += 1
            self._waited(now - waiter.began)
            waiter.conn = conn
            waiter.gate.release()
            return
        conn.idle_since = now
        self._books.idle.append(conn)

    def _shut(self, why: str, timeout: float) -> None:
        with self._lock:
            self._closed = why
            self._end.set()
            self._alarm.set()
            self._turn_away(self._refusal())
            self._returned_all.clear()
            self._books.retire()
            busy = bool(self._books.used)
            threads = [*self._connectors, *([self._sweeper] if self._sweeper else [])]
        until = self._now() + timeout
        if busy:
            self._returned_all.wait(timeout)
        for thread in threads:
            thread.join(max(0.1, until - self._now()))

    def _turn_away(self, error: DatabaseUnavailable) -> None:
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            self._waited(self._now() - waiter.began)
            waiter.error = anew(error)
            waiter.gate.release()

    def _retired(self, reason: str) -> None:
        _logger.warning("pool %s: all connections are replaced: %s", self._name, reason)

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
        if self._closed:
            return
        limit = 1 if self._down_since is not None else _CONNECTORS
        while len(self._connectors) < min(limit, self._books.wanted(len(self._waiters))):
            thread = Thread(target=self._connector, args=(self._end,), name=f"pool {self._name}: connect", daemon=True)
            self._connectors[thread] = None
            try:
                thread.start()
            except RuntimeError as error:  # the system has no thread for us now; the next look tries again
                del self._connectors[thread]
                _logger.warning("pool %s: no thread to connect with: %s", self._name, error)
                return

    def _connector(self, end: Event) -> None:
        """Open connections while some are wanted; during an outage only one connector goes on trying."""
        me = current_thread()
        try:
            self._connect(end, me)
        except Exception:
            _logger.exception(
                "pool %s: connecting ended by an error of ours; it begins again within a second", self._name
            )
        finally:
            with self._lock:
                self._connectors.pop(me, None)

    def _connect(self, end: Event, me: Thread) -> None:
        while (generation := self._generation_to_fill(me)) is not None:
            try:
                conn = self._source.open()
            except Exception as error:  # noqa: BLE001 - whatever it is, callers hear of it and attempts go on
                if not self._failed(error, me):
                    return
                end.wait(max(0.001, self._source.wait()))
            else:
                try:
                    self._connected(conn, generation)
                except BaseException:
                    conn.drop()
                    raise

    def _generation_to_fill(self, me: Thread) -> int | None:
        """The generation of the next connection, or None when no more are wanted and `me` is at its end."""
        with self._lock:
            if not self._closed and len(self._connectors) <= self._books.wanted(len(self._waiters)):
                return self._books.generation
            self._connectors.pop(me, None)
            return None

    def _connected(self, conn: SyncConnection, generation: int) -> None:
        restored = None
        with self._lock:
            if self._closed or generation != self._books.generation:
                conn.drop()  # too late, or opened before the sign came that ended its generation
                return
            now = self._now()
            self._connects += 1
            conn.generation = generation
            conn.expires_at = now + self._limits.max_lifetime * (0.9 + 0.1 * random())  # noqa: S311 - jitter
            if self._down_since is not None:
                restored, self._down_since = now - self._down_since, None
            self._offer(conn, now)
            self._grow()
        if restored is not None:
            _logger.warning("database %s is back after %.2f s", self._name, restored)
            events.emit(DatabaseRestored(self._name, restored))

    def _failed(self, error: Exception, me: Thread) -> bool:
        """Take note of `error`; whether `me` is the one that goes on trying."""
        hopeless = self._source.refusal()
        with self._lock:
            self._connect_failures += 1
            self._last_error = first_line(error)
            lost = self._down_since is None
            if lost:
                self._down_since = self._now()
            if hopeless is not None and not self._books.used:
                self._turn_away(hopeless)
            goes_on = next(iter(self._connectors), None) is me
            if not goes_on:
                self._connectors.pop(me, None)
        if lost and not self._closed:
            _logger.warning("database %s cannot be reached: %s", self._name, self._last_error)
            events.emit(DatabaseLost(self._name, self._last_error))
        return goes_on

    def _sweep(self, end: Event) -> None:
        while not end.is_set():
            pause = _SWEEP_EVERY
            try:
                pause = self._look()
            except Exception:
                _logger.exception("pool %s: the look at all connections failed; the next one follows", self._name)
            self._alarm.wait(pause)
            self._alarm.clear()

    def _look(self) -> float:
        """Look after all connections; seconds until that is due again."""
        with self._lock:
            now = self._now()
            self._cut_hung(now)
            self._books.sweep(now)
            self._grow()
            soonest = min((conn.cut_at for conn in self._books.in_use() if not conn.is_cut), default=inf)
            self._next_look = min(soonest, now + _SWEEP_EVERY * (0.75 + 0.5 * random()))  # noqa: S311 - jitter
            late = [] if self._leaks is None else self._leaks.look(self._books.in_use())
        if self._leaks is not None:
            self._leaks.report(late)
        return max(0.001, self._next_look - now)

    def _cut_hung(self, now: float) -> None:
        for conn in self._books.in_use():
            if conn.cut_at <= now and not conn.is_cut:
                conn.abandon()
