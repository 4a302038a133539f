"""What a health history says, read by any process.

Promises: it writes nothing and waits at most half a second for a lock; what can't be read is empty, because a page has to be
shown all the same.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from esteio.health._history_file import DAY, FIVE_MINUTES, MINUTE, SLOTS, Mark, unpacked
from esteio.health._intervals import Interval, State, filled
from esteio.outage_log import OutageLog

__all__ = ["HistoryReader", "Point"]

_outage = OutageLog(logging.getLogger("esteio.health"))


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
            block = unpacked(packed)
            for slot in range(SLOTS):
                at = day + slot * FIVE_MINUTES
                if isfinite(block[slot]) and at >= since:
                    points.append(Point(at, FIVE_MINUTES, block[slot], block[SLOTS + slot]))
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
        return {name: filled(intervals, since, now, self._gap) for name, intervals in found.items()}

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
