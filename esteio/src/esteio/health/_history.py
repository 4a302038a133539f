"""What was measured and how the checks stood, kept in an SQLite file on this host: what watches the database needs none.

Promises: it is bounded - minutes for 48 hours, five minutes for 90 days, days for ever, the newest 2,000 changes of state of
each check - and one writer keeps it so. A kill -9 loses what was observed in the last moment, nothing else. While the disk is
full or the file locked, up to `_PENDING` observations wait in memory. A file that is damaged is set aside, said, and begun
anew; one that was deleted is begun anew. States are kept as intervals: for a time nobody observed, the state is unknown.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path

from esteio.health._history_file import DAY, FIVE_MINUTES, MINUTE, SLOTS, Mark, open_history, packed, unpacked
from esteio.health._intervals import State
from esteio.outage_log import OutageLog

__all__ = ["History", "Observation"]

_KEEP_MINUTES, _KEEP_FIVE = 2 * DAY, 90 * DAY
_MOST_CHANGES = 2_000  # a check that flaps for 90 days would fill the disk
_MOST_SERIES = 500
_MOST_MARKS = 2_000
_PENDING = 1_440
_PRUNE_EVERY = 3_600
_logger = logging.getLogger("esteio.health")
_outage = OutageLog(_logger)


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
            block[SLOTS + five % DAY // FIVE_MINUTES] = greatest
        for (number, day), block in blocks.items():
            row = [number, day, packed(block)]
            connection.execute("insert or replace into five_minutes values (?, ?, ?)", row)
            averages = [value for value in block[:SLOTS] if isfinite(value)]
            greatest = max(value for value in block[SLOTS:] if isfinite(value))
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
            self._connection = open_history(self.path)
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
    return list(unpacked(row[0])) if row else [nan] * (2 * SLOTS)
