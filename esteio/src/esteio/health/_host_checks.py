"""Checks of one host's own processes: the workers, whoever watches them, what the database sends to whom.

Promises: as those of `checks`. None is essential: what is told here is being mended, or the service goes on without it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from esteio.health._blocking import BlockingProbe
from esteio.health._check import Check, Observed, Status, Unwell
from esteio.health._history_reader import HistoryReader
from esteio.health._host_monitor import SERVICE
from esteio.health._intervals import State
from esteio.health._measurements import Measurements
from esteio.metrics import THRESHOLDS

__all__ = ["replication", "watched", "workers"]

_RECENT = 60.0  # seconds for which it is told that something was killed
_SILENT = 2.5  # seconds; both a worker and whoever watches write twice a second
_STARTING = 30.0  # seconds from the start of the service in which the monitor may not have begun yet
_LATEST = 15.0  # seconds: what was seen before says nothing of now

_LAGS = """
select coalesce(l.slot_name, s.application_name), l.slot_name is null or l.active,
    extract(epoch from clock_timestamp() - s.reply_time)::float8,
    greatest(0, pg_wal_lsn_diff(e.lsn, coalesce(s.flush_lsn, l.restart_lsn)))::float8
from (select case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_flush_lsn() end) as e(lsn),
    (select * from pg_replication_slots where slot_type = 'physical' and not temporary) l
    full join (select * from pg_stat_replication where state is distinct from 'backup') s on s.pid = l.active_pid
"""


class _Database(Protocol):
    def connection(
        self, timeout: float | None = None, *, read_only: bool = False
    ) -> AbstractAsyncContextManager[Any]: ...


def workers(measurements: Measurements, *, name: str = "workers:count") -> Check:
    """How many processes measure. WARN when one has not written its numbers for some seconds - it is stopped, or its event

    loop stands still - and for a minute after one was killed.
    """
    known, noted = measurements.ended()[0], 0.0

    async def probe() -> float:
        nonlocal known, noted
        now, found = time.time(), measurements.workers()
        if (killed := measurements.ended()[0]) > known:  # also while nobody has taken its place
            known, noted = killed, now
        silent = max((now - worker.updated for worker in found), default=0.0)
        if silent > _SILENT:
            raise Unwell(f"a process has been silent for {silent:.0f} s", observed=len(found), status=Status.WARN)
        ago = now - max(noted, measurements.board.killed_at)
        if 0 <= ago < _RECENT:
            raise Unwell(f"a process was killed {ago:.0f} s ago", observed=len(found), status=Status.WARN)
        return float(len(found))

    return Check(name, probe, unit="processes", essential=False)


def watched(
    measurements: Measurements, history: HistoryReader, *, beside: Collection[str] = (), name: str = "host:watched"
) -> Check:
    """Seconds since the `HostMonitor` of this host said that it lives. WARN when it is silent, when its history says nothing

    of the last moments, and when one of its checks is not well that is not in `beside`: those are asked here. So what only the
    monitor sees is in every worker's report.
    """

    def seen() -> float:
        now = time.time()
        said = measurements.board.watched_at if measurements.shared else history.newest() or 0.0
        silent = now - said
        ill = [] if said or now - measurements.began < _STARTING else ["no health monitor runs"]
        if said and silent > (_SILENT if measurements.shared else _LATEST):
            ill.append(f"the health monitor has been silent for {silent:.0f} s")
        written = history.intervals(now - _LATEST, now)
        if said and not written and not ill and now - measurements.began >= _STARTING:
            ill.append(f"the history {history.path} says nothing of the last {_LATEST:.0f} s: is its disk full?")
        ill += [
            f"{each}: {last.reason}" if last.reason else each
            for each, intervals in written.items()
            if each != SERVICE and each not in beside
            for last in intervals[-1:]
            if last.state in (State.DOWN, State.DEGRADED)
        ]
        died = [service for _, at, service in measurements.board.deaths if now - at < _RECENT]
        ill += [f"{each} died and was restarted" for each in dict.fromkeys(died)]
        if ill:
            raise Unwell("; ".join(ill), observed=silent if said else None, status=Status.WARN)
        return silent if said else 0.0

    return Check(name, BlockingProbe(seen, name), unit="s", essential=False)


def replication(
    database: _Database, *, name: str = "replication:lag", warn_above: float = THRESHOLDS.wal_bytes, warn_silent: float = 4.0,
) -> Check:  # fmt: skip
    """Bytes of the log that the receiver furthest behind has not flushed: replicas, archives of it; `parts` by their names.

    WARN above `warn_above`, when nobody receives what a slot keeps, and when a receiver has not answered for `warn_silent`
    seconds, which a role sees that has `pg_monitor`. Archives by pg_receivewal with `--status-interval=1` answer every second.
    """

    async def probe() -> float:
        async with database.connection(timeout=0.6) as conn:
            rows = await (await conn.execute(_LAGS)).fetchall()
        lags: Mapping[str, float] = {str(row[0]): float(row[3] or 0.0) for row in rows}
        worst = Observed(max(lags.values(), default=0.0), lags)
        ill = [f"nobody receives {receiver}" for receiver, active, _, _ in rows if not active]
        ill += [
            f"{receiver} has not answered for {silent:.0f} s"
            for receiver, active, silent, _ in rows if active and silent is not None and silent > warn_silent
        ]  # fmt: skip
        if ill:
            raise Unwell("; ".join(ill), observed=worst, status=Status.WARN)
        return worst

    return Check(name, probe, unit="bytes", warn_above=warn_above, essential=False)
