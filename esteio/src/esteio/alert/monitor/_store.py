"""Alerts, incidents, minutes and notices on their way, as the monitor writes them into an SQLite file on this host.

Promises: what belongs to one round is written in one transaction and is on the disk when `save` returns (synchronous=FULL).
One process writes the state; silences and acknowledgements may be written by any (`Alerts`). A file that is damaged is set
aside, said, and begun anew; while the disk is full or the file locked, `save` says False and nothing is lost from memory.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from esteio.alert._notice import Notice
from esteio.alert.incidents import Incident
from esteio.alert.monitor._file import open_alerts
from esteio.alert.monitor._records import BackupRecord, Pending, Stored
from esteio.alert.objectives import Minute
from esteio.alert.rules import Alert, Silence
from esteio.outage_log import OutageLog

__all__ = ["AlertStore"]

_KEEP_MINUTES = 31 * 86_400
_MOST_INCIDENTS = 10_000
_MOST_BACKUPS = 10_000
# From the newest hour that is there on: it may have been cut short, and an older release writes minutes alone.
_HOURS_OF_MINUTES = """
insert or replace into hour
    select at / 3600 * 3600 as hour, sum(requests), sum(failed), sum(slow), sum(seen), sum(down) from minute
    where at >= min(coalesce((select max(at) from hour), 0), ? / 3600 * 3600) group by hour
"""
_logger = logging.getLogger("esteio.alert")
_outage = OutageLog(_logger)
_T = TypeVar("_T")


class AlertStore:
    """The one writer of the file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._alerts: dict[str, Alert] = {}  # as they are in the file
        self._incidents: dict[int, Incident] = {}
        self._silences: tuple[Silence, ...] = ()

    def load(self, now: float) -> Stored:
        """What is there; nothing where it can't be read."""
        return self._tried(lambda connection: self._load(connection, now)) or Stored()

    def save(
        self, at: float, alerts: Mapping[str, Alert], incidents: Iterable[Incident] = (),
        notices: Sequence[tuple[Notice, tuple[str, ...]]] = (), minutes: Iterable[Minute] = (), *,
        acknowledged: Iterable[str] = (), backups: Iterable[BackupRecord] = (), ended: bool = False,
    ) -> bool:  # fmt: skip
        """Write what changed, all of it or nothing; whether it is on the disk. `acknowledged`: those that were taken over."""
        changed = {name: alert for name, alert in alerts.items() if self._alerts.get(name) != alert}
        gone = [name for name in self._alerts if name not in alerts]
        fresh = {each.number: each for each in incidents if self._incidents.get(each.number) != each}

        def write(connection: sqlite3.Connection) -> bool:
            with connection:
                rows = [(name, json.dumps(alert.to_json())) for name, alert in changed.items()]
                connection.executemany("insert or replace into alert values (?, ?)", rows)
                connection.executemany("delete from alert where name = ?", [(name,) for name in gone])
                connection.executemany("delete from acknowledgement where name = ?", [(name,) for name in acknowledged])
                states = [(number, json.dumps(each.to_json())) for number, each in fresh.items()]
                connection.executemany("insert or replace into incident values (?, ?)", states)
                connection.executemany(
                    "insert into pending (notice, keys) values (?, ?)",
                    [(notice.to_json(), json.dumps(keys)) for notice, keys in notices],
                )
                _write_minutes(connection, minutes)
                _write_backups(connection, backups)
                connection.execute("delete from round")
                connection.execute("insert into round values (?, ?)", [at, ended])
            return True

        done = self._tried(write) is True
        if done:
            self._alerts = dict(alerts)
            self._incidents = fresh or self._incidents
        return done

    def pending(self) -> list[Pending]:
        """What is to go to the outbox, the oldest first."""
        rows = self._tried(lambda c: c.execute("select id, notice, keys from pending order by id").fetchall()) or []
        return [Pending(number, Notice.from_json(notice), tuple(json.loads(keys))) for number, notice, keys in rows]

    def forget(self, pending: Sequence[Pending]) -> None:
        """These are in the outbox."""

        def delete(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("delete from pending where id = ?", [(each.id,) for each in pending])

        if pending:
            self._tried(delete)

    def asked_for(self, now: float) -> tuple[tuple[Silence, ...], dict[str, str]]:
        """What people asked for: silences, and who acknowledged which alert. While it can't be read, known silences go on."""
        read = self._tried(lambda connection: _silences(connection, now))
        silences = self._silences = tuple(s for s in self._silences if s.until > now) if read is None else read
        rows = self._tried(lambda c: c.execute("select name, by from acknowledgement").fetchall()) or []
        return silences, dict(rows)

    def close(self) -> None:
        """Let go of the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _load(self, connection: sqlite3.Connection, now: float) -> Stored:
        self._alerts = {
            name: Alert.from_json(json.loads(state))
            for name, state in connection.execute("select name, state from alert")
        }
        row = connection.execute("select state from incident order by number desc limit 1").fetchone()
        minutes = connection.execute(
            "select at, requests, failed, slow, seen, down from minute where at >= ? order by at", [now - _KEEP_MINUTES]
        ).fetchall()
        at, ended = connection.execute("select at, ended from round").fetchone() or (None, True)
        last = Incident.from_json(json.loads(row[0])) if row else None
        return Stored(dict(self._alerts), last, [Minute(*minute) for minute in minutes], at, bool(ended))

    def _tried(self, work: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """None when the file can't be used now; one that is damaged is begun anew, once."""
        for _ in range(2):
            try:
                if self._connection is None:
                    self._connection = open_alerts(self.path)
                return work(self._connection)
            except (sqlite3.Error, OSError, ValueError, TypeError, KeyError) as error:
                self.close()
                if isinstance(error, (sqlite3.OperationalError, OSError)):
                    _outage.failed("alerts", f"{self.path}: {error}; the state is kept in memory")
                    return None
                self._set_aside(str(error))
        return None

    def _set_aside(self, problem: str) -> None:
        aside = self.path.with_name(f"{self.path.name}.damaged")
        _logger.error("alerts in %s are damaged (%s): set aside as %s, begun anew", self.path, problem, aside)
        self._alerts, self._incidents = {}, {}
        with suppress(OSError):
            self.path.replace(aside)
            for end in ("-wal", "-shm"):
                self.path.with_name(self.path.name + end).unlink(missing_ok=True)


def _write_minutes(connection: sqlite3.Connection, minutes: Iterable[Minute]) -> None:
    rows = sorted((m.at, m.requests, m.failed, m.slow, m.seen, m.down) for m in minutes)
    if rows:
        connection.executemany("insert or replace into minute values (?, ?, ?, ?, ?, ?)", rows)
        newest = rows[-1][0]
        for table in ("minute", "hour"):  # of a clock that was set back since: the ledger has moved them
            connection.execute(f"delete from {table} where at > ?", [newest])  # noqa: S608 - our own names
        connection.execute("delete from minute where at < ?", [newest - _KEEP_MINUTES])
        connection.execute(_HOURS_OF_MINUTES, [rows[0][0]])
        connection.execute(
            "delete from incident where number <= (select max(number) from incident) - ?", [_MOST_INCIDENTS]
        )


def _write_backups(connection: sqlite3.Connection, backups: Iterable[BackupRecord]) -> None:
    rows = [(each.name, each.began, json.dumps(asdict(each))) for each in backups]
    if rows:
        connection.executemany("insert or replace into backup values (?, ?, ?)", rows)
        connection.execute(
            "delete from backup where name not in (select name from backup order by began desc limit ?)",
            [_MOST_BACKUPS],
        )


def _silences(connection: sqlite3.Connection, now: float) -> tuple[Silence, ...]:
    rows = connection.execute("select pattern, until, by, why from silence where until > ? order by id", [now])
    return tuple(Silence(*row) for row in rows)
