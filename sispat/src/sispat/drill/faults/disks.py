"""Disks that are full, or slow."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping

import psycopg

from esteio.drill import Fault, Group
from esteio.health import HistoryReader
from sispat.drill.faults.processes import gone, kill
from sispat.drill.io_limit import IoLimit, group_of
from sispat.drill.load import City
from sispat.kernel.i18n import lazy

__all__ = ["FAULTS"]

_ROOM_FOR_A_STRANGER = 24 << 20  # bytes: more than one segment of the log, less than two
_MOST_SQL = 4096  # statements of a megabyte of log each: more than its disk has room for
_WRITES = 40  # a second: a tired disk, or a share of a busy one
_SLOW = 0.05  # seconds for two writes that were waited for
_UNWRITTEN = ("observations wait", "the state is kept in memory")  # what the monitor logs of its two files
_WRITTEN_WITHIN = 30.0  # seconds after there is room again; it tries every three


def _data(city: City) -> str | None:
    return city.service.data_disk.reason or city.service.history_disk.reason


def _backups(city: City) -> str | None:
    return city.service.backup_disk.reason


async def _fill_data(city: City) -> None:
    await asyncio.to_thread(city.service.data_disk.fill)
    await asyncio.to_thread(city.service.history_disk.fill)


async def _data_full(city: City) -> bool:
    """What the server gives back meanwhile, old segments of its log, is taken too."""
    await _fill_data(city)
    return city.service.data_disk.is_full() and city.service.history_disk.is_full()


async def _free_data(city: City) -> None:
    city.service.data_disk.free_again()
    city.service.history_disk.free_again()


def _history(city: City) -> str | None:
    return city.service.history_disk.reason


async def _fill_history(city: City) -> None:
    """And a worker dies: whoever is to be told of it is told by a monitor that cannot write down that it told them."""
    city.kept["about"] = ("worker:died", "history")
    city.kept["filled"], city.kept["log"] = time.time(), len(city.service.log())
    await asyncio.to_thread(_fill_behind_logs, city)
    kill(city, city.service.workers()[0])


def _fill_behind_logs(city: City) -> None:
    """With the logs of the two files at their beginning: within what they had grown to, they would be written on and on."""
    for file in city.service.history:
        with contextlib.closing(sqlite3.connect(file, timeout=5.0)) as stranger:
            stranger.execute("pragma wal_checkpoint(truncate)")
    city.service.history_disk.fill()


async def _history_unwritten(city: City) -> bool:
    """Both files were tried in vain."""
    await _keep_history_full(city)
    said = city.service.log()[city.kept["log"] :]
    return await gone(city) and city.service.history_disk.is_full() and all(words in said for words in _UNWRITTEN)


async def _keep_history_full(city: City) -> bool:
    """A file that is closed gives its log back, and that is taken, too; nobody makes room before the time is over."""
    await asyncio.to_thread(city.service.history_disk.fill)
    return False


async def _free_history(city: City) -> None:
    city.service.history_disk.free_again()


async def _history_made_up(city: City) -> Mapping[str, float]:
    """What happened while there was no room is in the history by now: it had waited in memory. A run without it has failed."""
    history, end = HistoryReader(city.service.history[0]), time.monotonic() + _WRITTEN_WITHIN
    while not (killed := [mark for mark in history.marks(city.kept["filled"]) if mark.kind == "kill"]):
        if time.monotonic() > end:
            raise TimeoutError(f"{history.path} says nothing of the worker that died while its disk was full")
        await asyncio.sleep(0.2)
    return {"marks_made_up": len(killed)}


async def _fill_backups(city: City) -> None:
    await asyncio.to_thread(city.service.backup_disk.fill)


async def _backups_full(city: City) -> bool:
    await _fill_backups(city)
    return city.service.backup_disk.is_full()


async def _free_backups(city: City) -> None:
    city.service.backup_disk.free_again()


async def _write_until_it_ends(city: City) -> None:
    """Somebody's own SQL, which asks nobody for room: the log grows until the server cannot write it, and ends."""
    await asyncio.to_thread(city.service.data_disk.fill, leave=_ROOM_FOR_A_STRANGER)
    stranger = await psycopg.AsyncConnection.connect(city.service.owner().conninfo, autocommit=True)
    city.kept["hit"] = city.service.sessions()
    for _ in range(_MOST_SQL):
        if stranger.closed:  # a statement that was only refused is not the end
            break
        with contextlib.suppress(psycopg.OperationalError):
            await stranger.execute("select pg_logical_emit_message(true, 'x', repeat('x', 1048576))")
    await stranger.close()


async def _sessions_cut(city: City) -> bool:
    """Also where the postmaster goes on: it ends, or recovers by itself, as the reserve comes late or in time."""
    return not any(each.is_running() for each in city.kept["hit"])


def _limit() -> IoLimit:
    return IoLimit(group_of(os.getpid()))


def _no_limit(city: City) -> str | None:
    return _data(city) or _limit().reason


async def _slow_down(city: City) -> None:
    city.kept["limit"] = limit = _limit()
    limit.begin([each.pid for each in city.service.postgres()], city.service.data_disk.device, _WRITES)


_TWO_WRITES = """import os, sys
with open(sys.argv[1], "wb", buffering=0) as file:
    input()
    for _ in range(2):
        file.write(bytes(8192))
        os.fdatasync(file.fileno())
"""


async def _is_slow(city: City) -> bool:
    """Two writes of a process that is held to the same."""
    probe = city.service.data / "lento"

    def measure() -> float:
        command = [sys.executable, "-c", _TWO_WRITES, str(probe)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:  # noqa: S603 - our own words
            city.kept["limit"].join(process.pid)
            began = time.monotonic()
            process.communicate(b"\n", timeout=30)
            return time.monotonic() - began

    try:
        return await asyncio.to_thread(measure) > _SLOW
    finally:
        probe.unlink(missing_ok=True)


async def _let_go(city: City) -> None:
    if "limit" in city.kept:
        city.kept.pop("limit").end()


FAULTS: tuple[Fault[City], ...] = (
    Fault(
        "backups-full", lazy("O disco das cópias fica cheio por 10 s"), _fill_backups, _backups_full, _free_backups,
        needs=_backups, lasts=10.0,
    ),
    Fault(
        "disk-slow", lazy("O disco do banco só grava 40 vezes por segundo, por 10 s"), _slow_down, _is_slow, _let_go,
        needs=_no_limit, lasts=10.0, patience=30,
    ),
    Fault(
        "history-full", lazy("O disco do histórico fica cheio por 20 s, e um processo que atende é morto"), _fill_history,
        _history_unwritten, _free_history, tells=_history_made_up, needs=_history, lasts=20.0, until=_keep_history_full,
    ),
    Fault(
        "disk-full", lazy("O disco de dados, do log do banco e do histórico fica cheio por 15 s"), _fill_data, _data_full,
        _free_data, needs=_data, lasts=15.0, patience=60, group=Group.SITE,
    ),
    Fault(
        "log-full", lazy("SQL de alguém enche o disco até o PostgreSQL parar; espaço após 10 s"), _write_until_it_ends,
        _sessions_cut, _free_data, needs=_data, lasts=10.0, patience=60, group=Group.SITE,
    ),
)  # fmt: skip
