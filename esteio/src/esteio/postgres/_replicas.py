"""Reads from replicas.

Promises: a replica is used only as `_replication` allows; when it cannot answer at once the primary does. The
measuring runs in the background, at jittered intervals, over one connection to each server, and finds out
about a promotion even while nobody asks for anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import random
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from esteio.clock import Clock
from esteio.policy._forks import renew_after_fork
from esteio.policy._scope import OPEN_END, SCOPE
from esteio.postgres._connect import Opener
from esteio.postgres._connection import Connection
from esteio.postgres._errors import DatabaseUnavailable, PoolExhausted
from esteio.postgres._hosts import Fleet, Host, Role
from esteio.postgres._pool import Pool
from esteio.postgres._replication import Lag, Replication, parse_lsn

__all__ = ["Replicas"]

_logger = logging.getLogger("esteio.postgres")

_INTERVAL = 0.5
_ACQUIRE_SECONDS = 0.25
_POSITION = "SELECT pg_current_wal_flush_lsn()::text, pg_current_wal_insert_lsn()::text"
_REPLAYED = "SELECT pg_last_wal_replay_lsn()::text"


class Replicas:
    """A pool for each server but the primary, and what they have replayed."""

    def __init__(
        self, fleet: Fleet, main: Pool, opener: Opener, pools: dict[Host, Pool], lag: Lag, clock: Clock
    ) -> None:
        self.replication = Replication(lag)
        self._fleet = fleet
        self._main = main
        self._opener = opener
        self._pools = pools
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        renew_after_fork(self)

    def open(self) -> None:
        """Begin to measure."""
        if self._tasks or not self._pools:
            return
        measures: list[Callable[[], Awaitable[None]]] = [self._measure_primary]
        for host, pool in self._pools.items():
            pool.open()
            measures.append(lambda host=host, pool=pool: self._measure(host, pool))  # type: ignore[misc]
        self._tasks = [asyncio.ensure_future(self._repeat(measure)) for measure in measures]

    def renew(self) -> None:
        """In a forked child: the tasks are the parent's."""
        self._tasks = []

    async def close(self, timeout: float) -> None:
        """End measuring and close the pools."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await asyncio.gather(*(pool.close(timeout) for pool in self._pools.values()))

    async def drain(self, timeout: float) -> bool:
        """Let running reads come back; whether they did."""
        return all(await asyncio.gather(*(pool.drain(timeout) for pool in self._pools.values())))

    def resize(self, max_size: int | None) -> None:
        """At most `max_size` connections to each replica from now on."""
        for pool in self._pools.values():
            pool.resize(None, max_size)

    async def acquire(self, token: int) -> tuple[Pool, Connection] | None:
        """A connection to a replica that has replayed `token`, and its pool; None when the primary has to do it."""
        usable = self.replication.usable(token, self._clock.monotonic())
        pools = [pool for host, pool in self._pools.items() if host.address in usable]
        if not pools:
            return None
        pool = min(pools, key=lambda pool: (pool.in_use, random()))  # noqa: S311 - a fair choice
        try:
            return pool, await pool.acquire(_ACQUIRE_SECONDS)
        except (DatabaseUnavailable, PoolExhausted):
            return None

    def failed(self, pool: Pool) -> None:
        """A read on `pool` lost its connection: not again before the next measurement."""
        for host, own in self._pools.items():
            if own is pool:
                self.replication.forget(host.address)

    async def _repeat(self, measure: Callable[[], Awaitable[None]]) -> None:
        SCOPE.set(OPEN_END)  # of this task: a deadline around `open` is not the measurements'
        while True:
            try:
                async with asyncio.timeout(2 * _INTERVAL):
                    await measure()
            except (psycopg.Error, DatabaseUnavailable, PoolExhausted, TimeoutError):
                pass  # not measured: what is known grows old, and the pools tell of their troubles themselves
            except Exception:
                _logger.exception("a replica could not be measured; the next measurement follows")
            await self._clock.sleep_async(_INTERVAL * (0.5 + random()))  # noqa: S311 - jitter

    async def _measure_primary(self) -> None:
        asked = self._clock.monotonic()
        flushed, inserted = await _ask(self._main, _POSITION, self._note)
        self.replication.primary_at(parse_lsn(flushed), parse_lsn(inserted), asked)

    async def _measure(self, host: Host, pool: Pool) -> None:
        if host is self._opener.last:
            self.replication.forget(host.address)
            return
        (replayed,) = await _ask(pool, _REPLAYED, self._note)
        if replayed is None or host.role is not Role.STANDBY:
            self.replication.forget(host.address)
        else:
            self.replication.replica_at(host.address, parse_lsn(replayed), self._clock.monotonic())

    def _note(self, conn: Connection) -> None:
        """What a server says of itself when it is measured: a promotion is news for the pool of writes."""
        if conn.host is not None:
            conn.host.role = conn.role_now()
        if conn.life is None:
            return
        system, timeline = conn.life.system, conn.life.timeline
        self._fleet.heard_of(system, timeline, self._clock.monotonic())
        if self._fleet.superseded_by(system, timeline):
            self._main.retire_all(f"{conn.host and conn.host.address} was promoted to timeline {timeline}")


async def _ask(pool: Pool, sql: str, note: Callable[[Connection], None]) -> tuple[Any, ...]:
    conn = await pool.acquire(_INTERVAL)
    try:
        row = await (await conn.cursor(row_factory=tuple_row).execute(sql)).fetchone()
        note(conn)
    except psycopg.Error:
        conn.drop()
        raise
    finally:
        pool.release(conn)
    return row or ()
