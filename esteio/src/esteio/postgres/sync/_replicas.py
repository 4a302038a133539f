# Generated from ../_replicas.py by tools/async_to_sync.py: change that file and run the tool.
"""Reads from replicas.

Promises: a replica is used only as `_replication` allows; when it cannot answer at once the primary does. The
measuring runs in the background, at jittered intervals, over one connection to each server, and finds out
about a promotion even while nobody asks for anything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from random import random
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from esteio.clock import Clock
from esteio.policy._forks import renew_after_fork
from esteio.policy._scope import OPEN_END, SCOPE, leave
from esteio.postgres._causality import Session
from esteio.postgres._errors import DatabaseUnavailable, PoolExhausted
from esteio.postgres._hosts import Fleet, Host, Role, Target
from esteio.postgres._replication import Lag, ReplicaReport, Replication, parse_lsn
from esteio.postgres.sync._concurrency import Lock, Signal, TimeLimit, Worker
from esteio.postgres.sync._connect import Opener
from esteio.postgres.sync._connection import SyncConnection
from esteio.postgres.sync._pool import Pool

__all__ = ["Replicas"]

_logger = logging.getLogger("esteio.postgres")

_INTERVAL = 0.5
_ACQUIRE_SECONDS = 0.25
_POSITION = "SELECT pg_current_wal_flush_lsn()::text, pg_current_wal_insert_lsn()::text"
_REPLAYED = "SELECT pg_last_wal_replay_lsn()::text"


class Replicas:
    """A pool for each server but the primary, and what they have replayed."""

    target = Target.ANY
    """What a replica has to be to answer a read: one that was promoted a moment ago answers as well."""

    def __init__(
        self, fleet: Fleet, main: Pool, opener: Opener, pools: dict[Host, Pool], lag: Lag, clock: Clock
    ) -> None:
        self.replication = Replication(lag)
        self.exist = bool(pools)
        """Whether there are any; else the pool for writes has all reads."""
        self._fleet = fleet
        self._main = main
        self._opener = opener
        self._pools = pools
        self._clock = clock
        self._lock = Lock()  # of `replication`, which is pure
        self._end = Signal()
        self._workers: list[Worker] = []
        renew_after_fork(self)

    def open(self) -> None:
        """Begin to measure."""
        if self._workers or not self._pools:
            return
        self._end = Signal()
        measures: list[Callable[[], None]] = [self._measure_primary]
        for host, pool in self._pools.items():
            pool.open()
            measures.append(partial(self._measure, host, pool))
        for measure in measures:
            worker = Worker("replicas: measure")
            worker.start(self._repeat, self._end, measure)
            self._workers.append(worker)

    def renew(self) -> None:
        """In a forked child: the tasks are the parent's."""
        self._workers, self._end, self._lock = [], Signal(), Lock()

    def stop(self) -> None:
        """No more measuring, and no more reads."""
        self._end.set()
        for worker in self._workers:
            worker.cancel()
        for pool in self._pools.values():
            pool.stop("is draining")

    def close(self, timeout: float) -> None:
        """End measuring and close the pools, within `timeout` seconds."""
        until = self._clock.monotonic() + timeout
        self.stop()
        for worker in self._workers:
            worker.join(max(0.1, until - self._clock.monotonic()))
        self._workers = []
        for pool in self._pools.values():
            pool.close(max(0.0, until - self._clock.monotonic()))

    def drain(self, timeout: float) -> bool:
        """Let running reads come back, for `timeout` seconds; whether they did."""
        until = self._clock.monotonic() + timeout
        drained = [pool.drain(max(0.0, until - self._clock.monotonic())) for pool in self._pools.values()]
        return all(drained)

    def resize(self, max_size: int | None) -> None:
        """At most `max_size` connections to each replica from now on."""
        for pool in self._pools.values():
            pool.resize(None, max_size)

    def report(self) -> tuple[ReplicaReport, ...]:
        """How far each replica is behind."""
        with self._lock:
            return self.replication.report(self._clock.monotonic())

    def acquire_for(self, session: Session | None) -> tuple[Pool, SyncConnection] | None:
        """A connection to a replica that has what `session` has seen, and its pool; None when the primary has to do it."""
        with self._lock:
            token = 0 if session is None else session.needed(self.replication)
            if token is None:
                return None
            usable = self.replication.usable(token, self._clock.monotonic())
        pools = [pool for host, pool in self._pools.items() if host.address in usable]
        return self._of_one(pools, _ACQUIRE_SECONDS)

    def acquire_stale(self, timeout: float) -> tuple[Pool, SyncConnection] | None:
        """A connection to a replica that answers, however far behind it is, and its pool; None where there is none."""
        with self._lock:
            there = self.replication.answering(self._clock.monotonic())
        return self._of_one([pool for host, pool in self._pools.items() if host.address in there], timeout)

    def _of_one(self, pools: list[Pool], timeout: float) -> tuple[Pool, SyncConnection] | None:
        if not pools:
            return None
        pool = min(pools, key=lambda pool: (pool.in_use, random()))  # noqa: S311 - a fair choice
        try:
            return pool, pool.acquire(timeout)
        except (DatabaseUnavailable, PoolExhausted):
            return None

    def failed(self, pool: Pool) -> None:
        """A read on `pool` lost its connection: not again before the next measurement."""
        for host, own in self._pools.items():
            if own is pool:
                with self._lock:
                    self.replication.forget(host.address)

    def _repeat(self, end: Signal, measure: Callable[[], None]) -> None:
        scope = SCOPE.set(OPEN_END)  # a deadline around `open` is not the measurements'
        try:
            while not end.is_set():
                self._try(measure)
                end.wait(_INTERVAL * (0.5 + random()))  # noqa: S311 - jitter
        finally:
            leave(scope)

    def _try(self, measure: Callable[[], None]) -> None:
        try:
            with TimeLimit(2 * _INTERVAL):
                measure()
        except (psycopg.Error, DatabaseUnavailable, PoolExhausted, TimeoutError):
            pass  # not measured: what is known grows old, and the pools tell of their troubles themselves
        except Exception:
            _logger.exception("a replica could not be measured; the next measurement follows")

    def _measure_primary(self) -> None:
        asked = self._clock.monotonic()
        flushed, inserted = _ask(self._main, _POSITION, self._note)
        with self._lock:
            self.replication.primary_at(parse_lsn(flushed), parse_lsn(inserted), asked)

    def _measure(self, host: Host, pool: Pool) -> None:
        replayed = None
        if host is not self._opener.last:  # that one is the primary
            (replayed,) = _ask(pool, _REPLAYED, self._note)
        with self._lock:
            if replayed is None or host.role is not Role.STANDBY:
                self.replication.forget(host.address)
            else:
                self.replication.replica_at(host.address, parse_lsn(replayed), self._clock.monotonic())

    def _note(self, conn: SyncConnection) -> None:
        """What a server says of itself when it is measured: a promotion is news for the pool of writes."""
        if conn.host is not None:
            conn.host.role = conn.role_now()
        if conn.life is None:
            return
        system, timeline = conn.life.system, conn.life.timeline
        self._fleet.heard_of(system, timeline, self._clock.monotonic())
        if self._fleet.superseded_by(system, timeline):
            self._main.invalidate_all(f"{conn.host and conn.host.address} was promoted to timeline {timeline}")


def _ask(pool: Pool, sql: str, note: Callable[[SyncConnection], None]) -> tuple[Any, ...]:
    conn = pool.acquire(_INTERVAL)
    pool.bound_for(conn, _INTERVAL)
    try:
        row = (conn.cursor(row_factory=tuple_row).execute(sql)).fetchone()
        note(conn)
    except psycopg.Error:
        conn.drop()
        raise
    finally:
        pool.release(conn)
    return row or ()
