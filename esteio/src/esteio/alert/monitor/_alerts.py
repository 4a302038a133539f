"""What people see of the alerts of this host, and do there: from any process, while the monitor writes.

Promises: reading writes nothing, waits half a second for a lock at most, and what can't be read is empty, because a page has
to be shown all the same. What somebody does is on the disk when the call returns, and counts within seconds.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from esteio.alert.incidents import Incident
from esteio.alert.monitor._file import open_alerts
from esteio.alert.monitor._records import BackupRecord
from esteio.alert.objectives import Minute
from esteio.alert.rules import Alert, Silence
from esteio.outage_log import OutageLog

__all__ = ["Alerts", "StoredLedger"]

_outage = OutageLog(logging.getLogger("esteio.alert"))
_SUMS = "select total(requests), total(failed), total(slow), total(seen), total(down) from "


class StoredLedger:
    """The minutes that the file at `path` holds, for `budget` and `burns`: summed there, because a month has 43,200."""

    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts
        self._known: dict[int, Minute] = {}  # both objectives ask for the same windows

    def over(self, seconds: float, now: float) -> Minute:
        """The sum over the last `seconds`; the minute in which they begin counts whole."""
        begin = int(now - seconds) // 60 * 60
        if begin not in self._known:
            self._known[begin] = _sum(begin, self._alerts.ask(f"{_SUMS} minute where at >= ?", begin))
        return self._known[begin]


class Alerts:
    """What people see of the file at `path`, and do there, from any process; what can't be read is empty."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def firing(self) -> list[Alert]:
        """The alerts that fire, the oldest first."""
        rows = self.ask("select state, by from alert left join acknowledgement using (name)")
        found = [(Alert.from_json(json.loads(state)), by) for state, by in rows]
        # Who acknowledged it a moment ago is shown before the next round of the monitor takes it over.
        shown = [replace(alert, acknowledged=by or alert.acknowledged) for alert, by in found if alert.firing]
        return sorted(shown, key=lambda each: each.firing_since or 0.0)

    def decided_at(self) -> float | None:
        """When the monitor last wrote down that it decides, Unix seconds: every 30 s; None: never."""
        rows = self.ask("select at from round")
        return rows[0][0] if rows else None

    def incidents(self, since: float = 0.0, most: int = 100) -> list[Incident]:
        """Those that ended after `since`, Unix seconds, or go on; the newest first."""
        rows = self.ask("select state from incident order by number desc limit ?", most)
        found = [Incident.from_json(json.loads(state)) for (state,) in rows]
        return [each for each in found if each.ended is None or each.ended >= since]

    def ledger(self) -> StoredLedger:
        """The minutes of the last 31 days, for `budget` and `burns`."""
        return StoredLedger(self)

    def between(self, since: float, until: float) -> Minute:
        """The sum of the whole hours from `since` to `until`, Unix seconds: these are kept for ever."""
        return _sum(int(since), self.ask(f"{_SUMS} hour where at >= ? and at < ?", since, until))

    def backups(self, since: float, until: float) -> list[BackupRecord]:
        """Those that were begun between, the oldest first; also those that retention has removed since."""
        rows = self.ask("select state from backup where began >= ? and began < ? order by began", since, until)
        return [BackupRecord(**json.loads(state)) for (state,) in rows]

    def silences(self, now: float) -> tuple[Silence, ...]:
        """Those that hold at `now`, Unix seconds."""
        rows = self.ask("select pattern, until, by, why from silence where until > ? order by id", now)
        return tuple(Silence(*row) for row in rows)

    def silence(self, silence: Silence) -> None:
        """Nobody is told of what it covers until it ends; one of the same pattern is replaced. OSError, sqlite3.Error."""
        with closing(open_alerts(self.path)) as connection, connection:
            _end_silence(connection, silence.pattern)
            connection.execute(
                "insert into silence (pattern, until, by, why) values (?, ?, ?, ?)",
                [silence.pattern, silence.until, silence.by, silence.why],
            )

    def end_silence(self, pattern: str) -> None:
        """From now on what it covered is told again; nothing where there is none. OSError, sqlite3.Error."""
        with closing(open_alerts(self.path)) as connection, connection:
            _end_silence(connection, pattern)

    def acknowledge(self, name: str, by: str) -> None:
        """Somebody looks after the alert `name` that fires; KeyError when it doesn't. OSError, sqlite3.Error."""
        if name not in {alert.name for alert in self.firing()}:
            raise KeyError(name)
        with closing(open_alerts(self.path)) as connection, connection:
            connection.execute("insert or replace into acknowledgement values (?, ?)", [name, by])

    def ask(self, statement: str, *parameters: object) -> list[Any]:
        """The rows of a query; none where the file can't be read."""
        if not self.path.exists():
            return []
        try:
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=0.5)) as connection:
                return connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            _outage.failed("alerts", f"{self.path} cannot be read: {error}")
            return []


def _sum(at: int, rows: list[Any]) -> Minute:
    requests, failed, slow, seen, down = rows[0] if rows else (0, 0, 0, 0.0, 0.0)
    return Minute(at, int(requests), int(failed), int(slow), seen, down)


def _end_silence(connection: sqlite3.Connection, pattern: str) -> None:
    connection.execute("delete from silence where pattern = ?", [pattern])
