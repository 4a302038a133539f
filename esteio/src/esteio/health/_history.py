"""What was measured and how the checks stood, kept in an SQLite file on this host: what watches the database needs none.

Promises: it is bounded - minutes for 48 hours, five minutes for 90 days, days for ever, the newest 2,000 changes of state of
each check - and one writer keeps it so. A kill -9 loses what was observed in the last moment, nothing else. While the disk is
full or the file locked, up to `_PENDING` observations wait in memory. A file that is damaged is set aside, said, and begun
anew; one that was deleted is begun anew. States are kept as intervals: for a time nobody observed, the state is unknown.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import struct
import zlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite, nan
from pathlib import Path
from typing import Any

from esteio.outage_log import OutageLog

__all__ = ["History", "HistoryReader", "Interval", "Mark", "Observation", "Point", "State", "availability", "shares"]

MINUTE, FIVE_MINUTES, DAY = 60, 300, 86_400
_KEEP_MINUTES, _KEEP_FIVE = 2 * DAY, 90 * DAY
_MOST_CHANGES = 2_000  # a check that flaps for 90 days would fill the disk
_MOST_SERIES = 500
_PENDING = 1_440
_SLOTS = DAY // FIVE_MINUTES
# The greatest value, then as parts of it averages and maxima of the five minutes of a day, NaN where there is none. Half
# precision is exact to 0.05 %, and with it three blocks fit on a page of the file.
_BLOCK = struct.Struct(f"<d{2 * _SLOTS}e")
_MOST_MARKS = 2_000
_PRUNE_EVERY = 3_600
_VERSION = 1
_logger = logging.getLogger("esteio.health")
_outage = OutageLog(_logger)

_SCHEMA = """
create table series (id integer primary key, name text not null unique);
create table minute (
    series integer not null, at integer not null, count integer not null, sum real not null, max real not null,
    primary key (series, at)) without rowid;
create table five_minutes (series integer not null, day integer not null, block blob not null, primary key (series, day));
create table day (
    series integer not null, day integer not null, average real not null, max real not null,
    primary key (series, day)) without rowid;
create table state (
    series integer not null, since real not null, seen real not null, state text not null, reason text not null,
    primary key (series, since)) without rowid;
create table day_state (
    series integer not null, day integer not null, state text not null, seconds real not null,
    primary key (series, day, state)) without rowid;
create table rolled (until integer not null);
insert into rolled values (0);
"""
# Added since: made in older files too, and not looked at by older releases.
_ADDED = """
create table if not exists mark (at real not null, kind text not null, name text not null, detail text not null);
create table if not exists fact (name text primary key, value text not null) without rowid;
"""


class State(StrEnum):
    """How something stood for a time."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something happened at `at`, Unix seconds, that may explain what changed then."""

    at: float
    kind: str
    """start, roll, kill, service, circuit, version or setting."""
    name: str = ""
    """Of the circuit, the setting, the version, the service that died; how many processes."""
    detail: str = ""
    """The state in which the circuit is now."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen at `at`, Unix seconds: `values` by series, the state of each check with the reason, what happened.

    `facts` are remembered, so that the next process knows what has changed.
    """

    at: float
    values: Mapping[str, float] = field(default_factory=dict)
    states: Mapping[str, tuple[State, str]] = field(default_factory=dict)
    marks: Sequence[Mark] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


class History:
    """The one writer of the file at `path`. After `gap` seconds without an observation, the time between is unknown."""

    def __init__(self, path: Path, *, gap: float = 60.0) -> None:
        self.path = path
        self._gap = gap
        self._pending: deque[Observation] = deque(maxlen=_PENDING)
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._names: dict[str, int] = {}
        self._pruned_at = 0.0

    def observe(self, *observations: Observation) -> bool:
        """Write them down, the oldest first; False when they have to wait. Raises nothing that a disk or a file can cause."""
        self._pending.extend(observations)
        for _ in range(2):  # once more with a file that was begun anew
            try:
                self._write()
            except sqlite3.Error as error:
                if not _damaged(error):
                    self._close()
                    _outage.failed("health history", f"{self.path}: {error}; {len(self._pending)} observations wait")
                    return False
                self._set_aside(str(error))
            except OSError as error:
                _outage.failed("health history", f"{self.path}: {error}; {len(self._pending)} observations wait")
                return False
            else:
                return True
        return False

    def close(self) -> None:
        """Let go of the file."""
        self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        self._names = {}
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    # Writing

    def _write(self) -> None:
        connection = self._opened()
        with connection:  # one transaction: all that waits, or none of it
            for observation in self._pending:
                self._put(connection, observation)
            latest = self._pending[-1].at
            self._roll_up(connection, latest)
            if abs(latest - self._pruned_at) >= _PRUNE_EVERY:
                self._prune(connection, latest)
                self._pruned_at = latest
        self._pending.clear()

    def _put(self, connection: sqlite3.Connection, observation: Observation) -> None:
        minute = int(observation.at) // MINUTE * MINUTE
        rows = [
            (number, minute, value, value)
            for name, value in observation.values.items()
            if isfinite(value) and (number := self._series(connection, name)) is not None
        ]
        connection.executemany(
            "insert into minute values (?, ?, 1, ?, ?) on conflict do update"
            " set count = count + 1, sum = sum + excluded.sum, max = max(max, excluded.max)",
            rows,
        )
        connection.executemany(
            "insert into mark values (?, ?, ?, ?)",
            [(mark.at, mark.kind, mark.name, mark.detail) for mark in observation.marks],
        )
        connection.executemany("insert or replace into fact values (?, ?)", observation.facts.items())
        for name, (state, reason) in observation.states.items():
            if (number := self._series(connection, name)) is not None:
                self._stand(connection, number, observation.at, state, reason)

    def _stand(self, connection: sqlite3.Connection, number: int, now: float, state: State, reason: str) -> None:
        row = connection.execute(
            "select since, seen, state from state where series = ? order by since desc limit 1", [number]
        ).fetchone()
        if row is None:
            connection.execute("insert into state values (?, ?, ?, ?, ?)", [number, now, now, state, reason])
            return
        since, seen, known = row
        now = max(now, seen)  # a clock that was set back: time stands still until it is where it was
        if now - seen > self._gap:
            connection.execute(
                "insert or replace into state values (?, ?, ?, ?, '')", [number, seen, now, State.UNKNOWN]
            )
            self._add(connection, number, seen, now, State.UNKNOWN)
        else:
            connection.execute("update state set seen = ? where series = ? and since = ?", [now, number, since])
            self._add(connection, number, seen, now, State(known))
            if known == state:  # whatever its reason is now: the first one is what began it
                return
        connection.execute("insert or replace into state values (?, ?, ?, ?, ?)", [number, now, now, state, reason])

    @staticmethod
    def _add(connection: sqlite3.Connection, number: int, begin: float, end: float, state: State) -> None:
        """Add to the days, which stay when the intervals are gone."""
        while begin < end:
            day = int(begin) // DAY * DAY
            until = min(end, day + DAY)
            connection.execute(
                "insert into day_state values (?, ?, ?, ?) on conflict do update set seconds = seconds + excluded.seconds",
                [number, day, state, until - begin],
            )
            begin = until

    def _series(self, connection: sqlite3.Connection, name: str) -> int | None:
        number = self._names.get(name)
        if number is None:
            row = connection.execute("select id from series where name = ?", [name]).fetchone()
            if row is None:
                (count,) = connection.execute("select count(*) from series").fetchone()
                if count >= _MOST_SERIES:
                    return None
                row = connection.execute("insert into series (name) values (?) returning id", [name]).fetchone()
            number = self._names[name] = int(row[0])
        return number

    # Rolling up

    def _roll_up(self, connection: sqlite3.Connection, now: float) -> None:
        """Five minutes that are over, from their minutes; what an outage left out is made up for."""
        (done,) = connection.execute("select until from rolled").fetchone()
        until = int(now) // FIVE_MINUTES * FIVE_MINUTES
        if until <= done:
            return
        rows = connection.execute(
            "select series, at / 300 * 300 as five, sum(sum) / sum(count), max(max) from minute"
            " where at >= ? and at < ? group by series, five",
            [max(done, until - _KEEP_MINUTES), until],
        ).fetchall()
        blocks: dict[tuple[int, int], list[float]] = {}
        for number, five, average, greatest in rows:
            key = (number, five // DAY * DAY)
            block = blocks.get(key) or blocks.setdefault(key, _block(connection, *key))
            block[five % DAY // FIVE_MINUTES] = average
            block[_SLOTS + five % DAY // FIVE_MINUTES] = greatest
        for (number, day), block in blocks.items():
            row = [number, day, _packed(block)]
            connection.execute("insert or replace into five_minutes values (?, ?, ?)", row)
            averages = [value for value in block[:_SLOTS] if isfinite(value)]
            greatest = max(value for value in block[_SLOTS:] if isfinite(value))
            connection.execute(
                "insert or replace into day values (?, ?, ?, ?)",
                [number, day, sum(averages) / len(averages), greatest],
            )
        connection.execute("update rolled set until = ?", [until])

    @staticmethod
    def _prune(connection: sqlite3.Connection, now: float) -> None:
        connection.execute("delete from minute where at < ?", [now - _KEEP_MINUTES])
        connection.execute("delete from five_minutes where day < ?", [now - _KEEP_FIVE - DAY])
        connection.execute("delete from state where seen < ?", [now - _KEEP_FIVE - DAY])
        connection.execute(
            "delete from state where (series, since) in (select series, since from (select series, since,"
            " row_number() over (partition by series order by since desc) as place from state) where place > ?)",
            [_MOST_CHANGES],
        )
        connection.execute("delete from mark where at < ?", [now - _KEEP_FIVE - DAY])
        connection.execute(
            "delete from mark where rowid not in (select rowid from mark order by at desc limit ?)", [_MOST_MARKS]
        )
        connection.execute("pragma incremental_vacuum")

    # The file

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and _inode(self.path) != self._inode:  # deleted, or put in its place
            self._close()
        if self._connection is None:
            self._connection = _open(self.path)
            self._inode = _inode(self.path)
        return self._connection

    def _set_aside(self, problem: str) -> None:
        self._close()
        aside = self.path.with_name(f"{self.path.name}.damaged")  # one is enough to look at: an earlier one goes
        _logger.error("health history %s is damaged (%s): set aside as %s, begun anew", self.path, problem, aside)
        with suppress(FileNotFoundError):
            self.path.replace(aside)
        for end in ("-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)


def _open(path: Path) -> sqlite3.Connection:
    made = not path.exists()
    connection = sqlite3.connect(path, timeout=2.0, isolation_level="IMMEDIATE", check_same_thread=False)
    try:
        if made:
            os.chmod(path, 0o600)
            connection.execute("pragma auto_vacuum = incremental")
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")  # after a power cut the last moments may be missing
        connection.execute("pragma journal_size_limit = 4000000")
        (version,) = connection.execute("pragma user_version").fetchone()
        if version != _VERSION:
            if version or connection.execute("select count(*) from sqlite_master").fetchone() != (0,):
                raise sqlite3.DatabaseError(f"it is no health history of version {_VERSION}")
            connection.executescript(f"begin; {_SCHEMA} pragma user_version = {_VERSION}; commit;")
        elif connection.execute("pragma quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("its check found errors")
        connection.executescript(_ADDED)
    except BaseException:
        connection.close()
        raise
    return connection


def _damaged(error: sqlite3.Error) -> bool:
    """Whether the file is at fault, and not the disk or somebody who holds a lock."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _block(connection: sqlite3.Connection, number: int, day: int) -> list[float]:
    row = connection.execute("select block from five_minutes where series = ? and day = ?", [number, day]).fetchone()
    return list(_unpacked(row[0])) if row else [nan] * (2 * _SLOTS)


def _packed(block: Sequence[float]) -> bytes:
    scale = max((abs(value) for value in block if isfinite(value)), default=1.0) or 1.0
    return zlib.compress(_BLOCK.pack(scale, *(value / scale for value in block)), 6)


def _unpacked(block: bytes) -> tuple[float, ...]:
    try:
        scale, *parts = _BLOCK.unpack(zlib.decompress(block))
        return tuple(scale * part for part in parts)
    except (zlib.error, struct.error):
        return (nan,) * (2 * _SLOTS)


# Reading: by any process


@dataclass(frozen=True, slots=True)
class Interval:
    """A check stood in `state` from `since` to `until`, Unix seconds."""

    state: State
    since: float
    until: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A series over `seconds` from `at` on."""

    at: float
    seconds: float
    average: float
    greatest: float


class HistoryReader:
    """Reads the file at `path`; what can't be read is empty, because a page has to be shown all the same."""

    def __init__(self, path: Path, *, gap: float = 60.0) -> None:
        self.path = path
        self._gap = gap

    def minutes(self, since: float, step: int = MINUTE) -> dict[str, list[Point]]:
        """All series, by the minute or by `step` seconds."""
        rows = self._ask(
            "select name, at / ? * ? as step, sum(sum) / sum(count), max(max) from minute join series on id = series"
            " where at >= ? group by series, step order by step",
            step, step, since,
        )  # fmt: skip
        found: dict[str, list[Point]] = {}
        for name, at, average, greatest in rows:
            found.setdefault(name, []).append(Point(at, step, average, greatest))
        return found

    def five_minutes(self, name: str, since: float) -> list[Point]:
        """One series, by five minutes."""
        points = []
        for day, packed in self._ask(
            "select day, block from five_minutes join series on id = series where name = ? and day > ? order by day",
            name, since - DAY,
        ):  # fmt: skip
            block = _unpacked(packed)
            for slot in range(_SLOTS):
                at = day + slot * FIVE_MINUTES
                if isfinite(block[slot]) and at >= since:
                    points.append(Point(at, FIVE_MINUTES, block[slot], block[_SLOTS + slot]))
        return points

    def days(self, name: str) -> list[Point]:
        """One series, by the day, for as long as it was measured."""
        rows = self._ask(
            "select day, average, max from day join series on id = series where name = ? order by day", name
        )
        return [Point(at, DAY, average, greatest) for at, average, greatest in rows]

    def day_states(self, name: str) -> dict[int, dict[State, float]]:
        """The seconds in each state by the beginning of the UTC day, for as long as the check was observed."""
        found: dict[int, dict[State, float]] = {}
        for day, state, seconds in self._ask(
            "select day, state, seconds from day_state join series on id = series where name = ? order by day", name
        ):
            found.setdefault(day, {})[State(state)] = seconds
        return found

    def newest(self) -> float | None:
        """When a check was last observed, Unix seconds; None when none ever was."""
        rows = self._ask("select max(seen) from state")
        return rows[0][0] if rows else None

    def states(self) -> dict[str, State]:
        """How each check stood when it was last observed."""
        rows = self._ask(
            "select name, state from state join series on id = series where (series, since) in"
            " (select series, max(since) from state group by series) order by name"
        )
        return {name: State(state) for name, state in rows}

    def intervals(self, since: float, now: float, *, only: str | None = None) -> dict[str, list[Interval]]:
        """How each check - or `only` one - stood from `since` to `now`; unknown where nobody observed it."""
        rows = self._ask(
            "select name, state, since, seen, reason from state join series on id = series where seen >= ?"
            " and (? is null or name = ?) order by name, since", since, only, only,
        )  # fmt: skip
        found: dict[str, list[Interval]] = {}
        for name, state, begin, seen, reason in rows:
            found.setdefault(name, []).append(Interval(State(state), begin, seen, reason))
        return {name: _filled(intervals, since, now, self._gap) for name, intervals in found.items()}

    def marks(self, since: float) -> list[Mark]:
        """What happened, the newest last."""
        rows = self._ask("select at, kind, name, detail from mark where at >= ? order by at, rowid", since)
        return [Mark(*row) for row in rows]

    def facts(self) -> dict[str, str]:
        """What was remembered."""
        return dict(self._ask("select name, value from fact"))

    def ever_up(self) -> set[str]:
        """The checks that were up or degraded at any time."""
        rows = self._ask(
            "select name from series where id in (select series from state where state in ('up', 'degraded')"
            " union select series from day_state where state in ('up', 'degraded'))"
        )
        return {name for (name,) in rows}

    def _ask(self, statement: str, *parameters: object) -> list[Any]:
        if not self.path.exists():  # nobody has written yet, or nobody is to
            return []
        try:
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=0.5)) as connection:
                return connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            _outage.failed("health history", f"{self.path} cannot be read: {error}")
            return []


def _filled(intervals: list[Interval], since: float, now: float, gap: float) -> list[Interval]:
    """Cut to the window, without holes; the last one holds until now unless it is older than `gap`."""
    filled: list[Interval] = []
    at = since
    for interval in intervals:
        begin, end = max(since, interval.since), min(now, interval.until)
        if begin > at:
            filled.append(Interval(State.UNKNOWN, at, begin))
        if end > begin:
            filled.append(Interval(interval.state, begin, end, interval.reason))
        at = max(at, end)
    if at < now:
        last = intervals[-1]
        if now - last.until > gap:
            filled.append(Interval(State.UNKNOWN, at, now))
        else:  # as it was a moment ago
            if last.until > max(since, last.since):  # it is there already, up to the last look
                filled.pop()
            filled.append(Interval(last.state, max(since, last.since), now, last.reason))
    return filled


def shares(intervals: Iterable[Interval]) -> dict[State, float]:
    """Seconds in each state."""
    found = dict.fromkeys(State, 0.0)
    for interval in intervals:
        found[interval.state] += interval.until - interval.since
    return found


def availability(intervals: Iterable[Interval]) -> float | None:
    """The share of the observed time, outside of maintenance, in which it was up or degraded; None of no such time."""
    seconds = shares(intervals)
    up = seconds[State.UP] + seconds[State.DEGRADED]
    known = up + seconds[State.DOWN]
    return up / known if known else None
