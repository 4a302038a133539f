# Generated from ../_connectors.py by tools/async_to_sync.py: change that file and run the tool.
"""Opens a pool's connections in the background.

Promises: four attempts side by side while the server answers, one while it does not, for as long as anybody wants a
connection; whoever waits in vain for a server that refuses us for good is told so at once. An attempt that began before
its generation ended brings no connection.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from random import random
from typing import Protocol

from esteio import events
from esteio.policy._scope import OPEN_END, SCOPE, leave
from esteio.postgres._errors import DatabaseUnavailable, first_line
from esteio.postgres._stats import DatabaseLost, DatabaseRestored
from esteio.postgres.sync._concurrency import Signal, Worker
from esteio.postgres.sync._connection import SyncConnection
from esteio.postgres.sync._guarded import Guarded

__all__ = ["Connectors", "Source"]

_logger = logging.getLogger("esteio.postgres")

_AT_ONCE = 4  # parallel attempts while the server answers; one while it does not


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


class Connectors:
    """The attempts that are under way for the pool of `guarded`."""

    def __init__(self, guarded: Guarded, source: Source) -> None:
        self._guarded = guarded
        self._source = source
        self._end = Signal()
        self._workers: OrderedDict[Worker, None] = OrderedDict()  # during an outage the first one goes on trying
        self.connects = self.failures = 0

    def __len__(self) -> int:
        return len(self._workers)

    def start(self) -> None:
        """The pool is open. With the lock held."""
        self._end = Signal()
        self._workers.clear()
        self.grow()

    def stop(self) -> None:
        """The pool is closed: no more attempts. With the lock held."""
        self._end.set()
        for worker in self._workers:
            worker.cancel()

    def under_way(self) -> tuple[Worker, ...]:
        """The attempts of this moment. With the lock held."""
        return tuple(self._workers)

    def grow(self) -> None:
        """Begin as many attempts as are wanted and not yet under way. With the lock held."""
        guarded = self._guarded
        if guarded.closed:
            return
        limit = 1 if guarded.down_since is not None else _AT_ONCE
        while len(self._workers) < min(limit, guarded.wanted()):
            worker = Worker(f"pool {guarded.name}: connect")
            self._workers[worker] = None
            try:
                worker.start(self._run, self._end, worker)
            except RuntimeError as error:  # the system has no thread for us now; the next look tries again
                del self._workers[worker]
                _logger.warning("pool %s: no thread to connect with: %s", guarded.name, error)
                return

    def _run(self, end: Signal, me: Worker) -> None:
        """Open connections while some are wanted; during an outage only one connector goes on trying."""
        scope = SCOPE.set(OPEN_END)  # a deadline of the caller whose need began it is not the connection's
        try:
            self._connect(end, me)
        except Exception:
            _logger.exception(
                "pool %s: connecting ended by an error of ours; it begins again within a second", self._guarded.name
            )
        finally:
            leave(scope)
            with self._guarded.lock:
                self._workers.pop(me, None)

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
        guarded = self._guarded
        with guarded.lock:
            if not guarded.closed and len(self._workers) <= guarded.wanted():
                return guarded.state.generation
            # Here and not when it has ended: who queues in between counts on a new one.
            self._workers.pop(me, None)
            return None

    def _connected(self, conn: SyncConnection, generation: int) -> None:
        restored = None
        guarded = self._guarded
        with guarded.lock:
            if guarded.closed or generation != guarded.state.generation:
                conn.drop()  # too late, or opened before the sign came that ended its generation
                return
            now = guarded.now()
            self.connects += 1
            conn.generation = generation
            conn.expires_at = now + guarded.limits.max_lifetime * (0.9 + 0.1 * random())  # noqa: S311 - jitter
            if guarded.down_since is not None:
                restored, guarded.down_since = now - guarded.down_since, None
            guarded.offer(conn, now)
            self.grow()
        if restored is not None:
            _logger.warning("database %s is back after %.2f s", guarded.name, restored)
            events.emit(DatabaseRestored(guarded.name, restored))

    def _failed(self, error: Exception, me: Worker) -> bool:
        """Take note of `error`; whether `me` is the one that goes on trying."""
        hopeless = self._source.refusal()
        reason = first_line(error)
        guarded = self._guarded
        with guarded.lock:
            now = guarded.now()
            self.failures += 1
            guarded.last_error = reason
            lost = guarded.down_since is None
            if lost:
                guarded.down_since = now
            if hopeless is not None and not guarded.state.used:
                guarded.queue.refuse_all(hopeless, now)
            goes_on = next(iter(self._workers), None) is me
            if not goes_on:
                self._workers.pop(me, None)
        if lost and not guarded.closed:
            _logger.warning("database %s cannot be reached: %s", guarded.name, reason)
            events.emit(DatabaseLost(guarded.name, reason))
        return goes_on
