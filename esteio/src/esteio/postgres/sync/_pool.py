# Generated from ../_pool.py by tools/async_to_sync.py: change that file and run the tool.
"""A bounded set of connections that heals itself.

Promises: a connection that ended while idle is replaced, never handed out; every wait has a limit and the queue a
length, first come first served; after an outage the first connection is there within the reconnect delay, and a dead
server sees one attempt at a time from each pool. One sign that the server is gone or has changed its role ends the
whole generation of connections. A connection that idled for long is asked before it is handed out. Whatever a borrower
changed is undone before the next one gets the connection; where it cannot be undone the connection is replaced. After a
fork the child has to open it anew. A handed-out connection must come back through `release`.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from math import inf
from random import random
from time import monotonic
from typing import Protocol

import psycopg

from esteio import events
from esteio.clock import SYSTEM, Clock
from esteio.policy._forks import renew_after_fork
from esteio.policy._scope import OPEN_END, SCOPE, leave
from esteio.postgres._errors import DatabaseUnavailable, PoolExhausted, copy_error, first_line
from esteio.postgres._histogram import Histogram
from esteio.postgres._leaks import Leaks
from esteio.postgres._limits import PoolLimits
from esteio.postgres._state import PoolState
from esteio.postgres._stats import DatabaseLost, DatabaseRestored, PoolStats
from esteio.postgres.sync._concurrency import Alarm, Gate, Lock, Signal, TimeLimit, Worker
from esteio.postgres.sync._connection import SyncConnection

__all__ = ["Pool"]

_logger = logging.getLogger("esteio.postgres")

_CONNECTORS = 4  # parallel attempts while the server answers; one while it does not
_SWEEP_EVERY = 1.0
_SPREAD = 0.1  # seconds over which the processes of a service refill their pools
_PING_SECONDS = 2.0
_PING_LEAST = 0.05  # seconds for an answer, even of a caller who does not want to wait at all
_RESET_SECONDS = 2.0
_UNCOUNTED = 64
_UNFINISHED = (
    "pool %s: the connection to backend %d came back in the middle of a transaction or a statement: it is closed, and"
    " what was not committed is undone; commit before the block ends, or use transaction()"
)


class Source(Protocol):
    """Where a pool gets its connections."""

    def open(self) -> SyncConnection:
        """A connection; any exception says that there is none now."""
        ...

    def refresh(self, conn: SyncConnection) -> None:
        """Make the session of `conn` what it was when it was opened; any exception says that it is not."""
        ...

    def wait(self) -> float:
        """Seconds until it makes sense to ask again."""
        ...

    def refusal(self) -> DatabaseUnavailable | None:
        """Why it makes no sense to wait, if that is so."""
        ...


class _Waiter:
    """A caller in the queue, until it has a connection or an error."""

    __slots__ = ("began", "conn", "error", "gate")

    def __init__(self, now: float) -> None:
        self.began = now
        self.gate = Gate()
        self.conn: SyncConnection | None = None
        self.error: DatabaseUnavailable | PoolExhausted | None = None


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
        reset: Callable[[SyncConnection], None] | None = None,
        leak_after: float | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._source = source
        self._name = name
        self._state: PoolState[SyncConnection] = PoolState(limits.min_size, limits.max_size, limits.max_idle)
        self._limits = limits
        self._ping_after = limits.ping_after
        self._reset = reset
        self._now = monotonic if clock is SYSTEM else clock.monotonic
        self._lock = Lock()  # held while the state is read or changed, never while a server is waited for
        self._closed = "is not open"
        self._waiters: OrderedDict[_Waiter, None] = OrderedDict()
        self._connectors: OrderedDict[Worker, None] = OrderedDict()
        self._resets: dict[Worker, SyncConnection] = {}  # under way; each has its connection in use
        self._alarm = Alarm(self._sweep, f"pool {name}: sweep")
        self._next_look = 0.0
        self._refill_at = inf
        self._end = Signal()
        self._returned_all = Signal()
        self._down_since: float | None = None
        self._last_error: str | None = None
        self._acquired = self._queued = self._served = self._timeouts = self._rejected = 0
        self._connects = self._connect_failures = 0
        self._waits = Histogram()
        self._uncounted: list[float] = []
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
        return len(self._state.used)

    def open(self) -> None:
        """Begin to connect; returns at once, whether or not there is a server."""
        with self._lock:
            if not self._closed:
                return
            alarm = Alarm(self._sweep, f"pool {self._name}: sweep")
            pause = _SWEEP_EVERY * (0.75 + 0.5 * random())  # noqa: S311 - jitter
            alarm.start(pause)  # RuntimeError when the system has no thread for us: then the pool is not open
            self._closed, self._end, self._alarm = "", Signal(), alarm
            self._next_look = self._now() + pause
            self._connectors.clear()
            self._grow()

    def stop(self, why: str) -> None:
        """Turn callers away, who are told that the pool `why`, and close what is idle."""
        with self._lock:
            self._closed = why
            self._end.set()
            self._alarm.stop()
            self._turn_away(self._refusal())
            self._returned_all.clear()
            self._state.invalidate_all()
            for worker in self._connectors:
                worker.cancel()

    def close(self, timeout: float) -> None:
        """Turn callers away, wait up to `timeout` seconds for those who have a connection, close everything."""
        if self._closed == "is closed":
            return
        self.stop("is closed")
        self._wait_for_all(timeout)
        with self._lock:
            left = self._state.in_use()
            resets = dict(self._resets)
        for conn in left:
            if not conn.closed:
                _logger.warning("pool %s: a connection still in use after %g s is cut", self._name, timeout)
                conn.abandon()  # closed when it is given back
        for worker, conn in resets.items():
            worker.cancel()
            if worker.join(_RESET_SECONDS) and worker in self._resets:  # it was cancelled before it had begun
                conn.drop()
                self._reset_ended(conn, worker)

    def drain(self, timeout: float) -> bool:
        """Turn callers away and close what is idle; whether within `timeout` seconds all others came back."""
        self.stop("is draining")
        self._wait_for_all(timeout)
        return not self._state.used

    def renew(self) -> None:
        """In a forked child: the sockets are the parent's, and must be neither used nor closed properly here."""
        state = self._state
        self._inherited.append((state, state.in_use()))  # dropping them would end the parent's sessions
        self._state = PoolState(state.min_size, state.max_size, state.max_idle)
        self._lock, self._end, self._returned_all = Lock(), Signal(), Signal()
        self._alarm = Alarm(self._sweep, f"pool {self._name}: sweep")
        self._waiters.clear()
        self._connectors.clear()
        self._resets.clear()
        if not self._closed:
            self._closed = "was opened before this process was forked: open a database in each process"

    def acquire(self, timeout: float | None = None) -> SyncConnection:
        """A connection, within `timeout` seconds (the pool's own when None).

        DatabaseUnavailable when the server is away or the pool not open; PoolExhausted when all are in use.
        """
        wait = self._limits.timeout if timeout is None else timeout
        now = self._now()
        with self._lock:
            conn = self._state.take(now) if self._state.idle else None
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
            changed = (conn.put_back() or self._reset is not None) and not self._closed and self._worth_a_reset(conn)
        except BaseException:
            conn.drop()
            self._returned(conn)
            raise
        if changed:
            self._begin_reset(conn)
        else:
            self._returned(conn)

    def resize(self, min_size: int | None, max_size: int | None) -> None:
        """Keep at least `min_size` connections open and at most `max_size`, from now on; None: as before."""
        with self._lock:
            self._limits = limits = self._limits.resized(min_size, max_size)
            self._state.resize(limits.min_size, limits.max_size)
            self._grow()

    def bound(self, conn: SyncConnection, cut_at: float) -> None:
        """From monotonic second `cut_at` on whoever waits for `conn`, in use, gets an error; until it comes back."""
        conn.cut_at = cut_at  # needs no lock: only who has the connection sets it
        if cut_at < self._next_look:
            self._alarm.hasten()

    def bound_for(self, conn: SyncConnection, seconds: float) -> None:
        """The same, `seconds` from now."""
        self.bound(conn, self._now() + seconds)

    def has_cut(self, conn: SyncConnection) -> bool:
        """Whether the bound of `conn` has passed, and ended the wait for it."""
        return conn.is_cut and conn.cut_at <= self._now()

    def invalidate(self, conn: SyncConnection, reason: str, *, silent: bool = False) -> None:
        """`conn`, in use, has shown that its server is gone or not what it was: no other to it is handed out.

        `silent`: we have cut it ourselves, because a living server would have answered by then.
        """
        with self._lock:
            if self._closed or not self._state.invalidate(conn, self._now(), silent=silent):
                return
        self._invalidated(reason)

    def invalidate_all(self, reason: str) -> None:
        """The server is no longer the one wanted."""
        with self._lock:
            self._state.invalidate_all()
        self._invalidated(reason)

    def check_idle(self) -> None:
        """Replace every idle connection that has ended, and those past their time."""
        with self._lock:
            self._state.sweep(self._now())
            self._grow()

    def stats(self) -> PoolStats:
        """The numbers of this moment."""
        with self._lock:
            self._count_waits()
            state = self._state
            return PoolStats(
                name=self._name,
                min_size=state.min_size,
                max_size=state.max_size,
                size=state.size,
                idle=len(state.idle),
                in_use=len(state.used),
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
                lost=state.lost,
                down_for=None if self._down_since is None else self._now() - self._down_since,
                last_error=self._last_error,
                waits=self._waits.times(immediate=self._acquired - self._served),
                overdue=sum(conn.overdue for conn in state.in_use()),
                leaks=0 if self._leaks is None else self._leaks.found,
            )

    # Handing out

    def _first_that_answers(self, conn: SyncConnection, wait: float) -> SyncConnection | None:
        """`conn`, or the next idle one whose server answers; None when there is none. For at most `wait` seconds."""
        expires = self._now() + max(wait, _PING_LEAST)
        found: SyncConnection | None = conn
        while found is not None and self._now() - found.idle_since > self._ping_after:
            if self._answers(found, expires):
                return found
            if self._closed:
                raise self._refusal()
            if self._now() >= expires:
                with self._lock:
                    self._timeouts += 1
                reason = f"a connection that had idled got no answer within {wait:g} s"
                raise DatabaseUnavailable(self._name, reason, not_sent=True)
            with self._lock:
                found = self._state.take(self._now())
        return found

    def _answers(self, conn: SyncConnection, expires: float) -> bool:
        """Whether `conn`, in use, has a server at its other end; if not, it is replaced."""
        limit = self._now() + _PING_SECONDS
        self.bound(conn, min(limit, expires))
        scope = SCOPE.set(OPEN_END)  # it has a limit of its own
        try:
            conn.execute("SELECT 1")
            if conn.generation == self._state.generation and conn.role_now() is conn.role:
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

    def _worth_a_reset(self, conn: SyncConnection) -> bool:
        if conn.generation != self._state.generation or not conn.reusable():
            return False
        if self._lock._is_owned():  # type: ignore[attr-defined] # noqa: SLF001
            conn.drop()  # a finalizer, while the state is being changed: it must not wait for a server now
        return not conn.closed

    def _begin_reset(self, conn: SyncConnection) -> None:
        # Asyncio's borrower need not wait for it: a task does it, and has the connection in use until then.
        worker = Worker(f"pool {self._name}: reset")
        with self._lock:
            self._resets[worker] = conn
        try:
            worker.run(self._refresh, conn, worker)
        except RuntimeError:  # no event loop runs any more
            conn.drop()
            self._reset_ended(conn, worker)

    def _refresh(self, conn: SyncConnection, worker: Worker) -> None:
        """Undo what the last borrower of `conn`, still in use, left in the session, and give it back."""
        self.bound_for(conn, _RESET_SECONDS)
        scope = SCOPE.set(OPEN_END)  # the borrower's deadline, which may have passed, has nothing to do with it
        try:
            with TimeLimit(_RESET_SECONDS):
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
            self._reset_ended(conn, worker)

    def _reset_ended(self, conn: SyncConnection, worker: Worker) -> None:
        with self._lock:
            self._resets.pop(worker, None)
        self._returned(conn)

    def _returned(self, conn: SyncConnection) -> None:
        if conn.unfinished():
            _logger.warning(_UNFINISHED, self._name, conn.pid)
        with self._lock:
            state = self._state
            conn.cut_at = inf
            if self._closed:
                state.used.pop(id(conn), None)
                conn.drop()
                if not state.used:
                    self._returned_all.set()
                return
            generation, lost = state.generation, state.lost
            now = self._now()
            if state.returned(conn, now, wanted=bool(self._waiters)):
                self._offer(conn, now)
                return
            if state.generation == generation:
                if state.lost != lost:
                    state.sweep(now)  # what ended this one may have ended others
                self._grow()
                return
        self._invalidated("a server changed its role")

    def _wait(self, waiter: _Waiter, timeout: float) -> SyncConnection:
        try:
            waiter.gate.wait(timeout)
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
        if self._down_since is not None and not self._state.used:
            hopeless = self._source.refusal()
            if hopeless is not None:
                raise copy_error(hopeless)
        if len(self._waiters) >= self._limits.max_waiting:
            self._rejected += 1
            raise self._in_vain(0.0)
        waiter = _Waiter(now)
        self._waiters[waiter] = None
        self._queued += 1
        if self._state.size < self._limits.max_size:
            self._grow()
        return waiter

    def _offer(self, conn: SyncConnection, now: float) -> None:
        if self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            self._state.lend(conn)
            self._acquired += 1
            self._served += 1
            self._waited(now - waiter.began)
            waiter.conn = conn
            waiter.gate.open()
            return
        conn.idle_since = now
        self._state.idle.append(conn)

    def _waited(self, seconds: float) -> None:
        # Counted many at once, which is cheaper than one with each hand-over.
        self._uncounted.append(seconds)
        if len(self._uncounted) >= _UNCOUNTED:
            self._count_waits()

    def _count_waits(self) -> None:
        for seconds in self._uncounted:
            self._waits.observe(seconds)
        self._uncounted.clear()

    def _wait_for_all(self, timeout: float) -> None:
        """Return when all connections have come back and nothing runs in the background, at most `timeout` seconds."""
        until = self._now() + timeout
        with self._lock:
            busy = bool(self._state.used)
            workers = tuple(self._connectors)
        if busy:
            self._returned_all.wait(timeout)
        for worker in workers:
            worker.join(max(0.1, until - self._now()))
        self._alarm.join(max(0.1, until - self._now()))

    def _turn_away(self, error: DatabaseUnavailable) -> None:
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            self._waited(self._now() - waiter.began)
            waiter.error = copy_error(error)
            waiter.gate.open()

    def _invalidated(self, reason: str) -> None:
        _logger.warning("pool %s: all connections are replaced: %s", self._name, reason)
        with self._lock:
            if self._waiters:
                self._grow()
            else:
                self._refill_at = self._now() + _SPREAD * random()  # noqa: S311 - jitter
                self._alarm.hasten()

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
            in_use=len(self._state.used),
            size=self._state.size,
            max_size=self._state.max_size,
            waiting=len(self._waiters),
            max_waiting=self._limits.max_waiting,
        )

    # Growing and shrinking

    def _grow(self) -> None:
        if self._closed:
            return
        limit = 1 if self._down_since is not None else _CONNECTORS
        while len(self._connectors) < min(limit, self._state.wanted(len(self._waiters))):
            worker = Worker(f"pool {self._name}: connect")
            self._connectors[worker] = None
            try:
                worker.start(self._connector, self._end, worker)
            except RuntimeError as error:  # the system has no thread for us now; the next look tries again
                del self._connectors[worker]
                _logger.warning("pool %s: no thread to connect with: %s", self._name, error)
                return

    def _connector(self, end: Signal, me: Worker) -> None:
        """Open connections while some are wanted; during an outage only one connector goes on trying."""
        scope = SCOPE.set(OPEN_END)  # a deadline of the caller whose need began it is not the connection's
        try:
            self._connect(end, me)
        except Exception:
            _logger.exception(
                "pool %s: connecting ended by an error of ours; it begins again within a second", self._name
            )
        finally:
            leave(scope)
            with self._lock:
                self._connectors.pop(me, None)

    def _connect(self, end: Signal, me: Worker) -> None:
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

    def _generation_to_fill(self, me: Worker) -> int | None:
        """The generation of the next connection, or None when no more are wanted and `me` is at its end."""
        with self._lock:
            if not self._closed and len(self._connectors) <= self._state.wanted(len(self._waiters)):
                return self._state.generation
            # Here and not when it has ended: who queues in between counts on a new one.
            self._connectors.pop(me, None)
            return None

    def _connected(self, conn: SyncConnection, generation: int) -> None:
        restored = None
        with self._lock:
            if self._closed or generation != self._state.generation:
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

    def _failed(self, error: Exception, me: Worker) -> bool:
        """Take note of `error`; whether `me` is the one that goes on trying."""
        hopeless = self._source.refusal()
        with self._lock:
            self._connect_failures += 1
            self._last_error = first_line(error)
            lost = self._down_since is None
            if lost:
                self._down_since = self._now()
            if hopeless is not None and not self._state.used:
                self._turn_away(hopeless)
            goes_on = next(iter(self._connectors), None) is me
            if not goes_on:
                self._connectors.pop(me, None)
        if lost and not self._closed:
            _logger.warning("database %s cannot be reached: %s", self._name, self._last_error)
            events.emit(DatabaseLost(self._name, self._last_error))
        return goes_on

    def _sweep(self) -> float:
        try:
            return self._look()
        except Exception:
            _logger.exception("pool %s: the look at all connections failed; the next one follows", self._name)
            return _SWEEP_EVERY

    def _look(self) -> float:
        """Look after all connections; seconds until that is due again."""
        with self._lock:
            now = self._now()
            self._cut_hung(now)
            self._state.sweep(now)
            if now >= self._refill_at:
                self._refill_at = inf
            if self._refill_at == inf or self._waiters:
                self._grow()
            soonest = min((conn.cut_at for conn in self._state.in_use() if not conn.is_cut), default=inf)
            regular = now + _SWEEP_EVERY * (0.75 + 0.5 * random())  # noqa: S311 - jitter
            self._next_look = min(soonest, self._refill_at, regular)
            late = [] if self._leaks is None else self._leaks.look(self._state.in_use())
        if self._leaks is not None:
            self._leaks.report(late)
        return max(0.001, self._next_look - now)

    def _cut_hung(self, now: float) -> None:
        for conn in self._state.in_use():
            if conn.cut_at <= now and not conn.is_cut:
                conn.cut()
