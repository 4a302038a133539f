"""Alerts, incidents, minutes and notices on their way, in an SQLite file on this host.

Promises: what belongs to one round is written in one transaction and is on the disk when `save` returns (synchronous=FULL).
One process writes the state; silences and acknowledgements may be written by any. A file that is damaged is set aside, said,
and begun anew; while the disk is full or the file locked, `save` says False and nothing is lost from memory.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from esteio.alert._notice import Notice
from esteio.alert.incidents import Incident
from esteio.alert.objectives import Ledger, Minute
from esteio.alert.rules import Alert, Silence
from esteio.outage_log import OutageLog

__all__ = ["AlertStore", "Alerts", "Pending", "Stored"]

_VERSION = 1
_PATIENCE = 0.5  # seconds for a lock: a round must not wait longer for one than for the next round
_KEEP_MINUTES = 31 * 86_400
_MOST_INCIDENTS = 10_000
_logger = logging.getLogger("esteio.alert")
_outage = OutageLog(_logger)
_T = TypeVar("_T")

_SCHEMA = """
create table alert (name text primary key, state text not null) without rowid;
create table incident (number integer primary key, state text not null);
create table minute (at integer primary key, requests integer not null, failed integer not null, slow integer not null,
    seen real not null, down real not null);
create table pending (id integer primary key autoincrement, notice text not null, keys text not null);
create table silence (id integer primary key autoincrement, pattern text not null, until real not null, by text not null,
    why text not null);
create table acknowledgement (name text primary key, by text not null) without rowid;
create table round (at real not null, ended integer not null);
"""


@dataclass(frozen=True, slots=True)
class Pending:
    """A notice for the channels `keys` that is not in the outbox yet; `id` never comes again."""

    id: int
    notice: Notice
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """What was there when the file was opened. `at`: the last round, Unix seconds; `ended`: in order."""

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    last_incident: Incident | None = None
    minutes: Sequence[Minute] = ()
    at: float | None = None
    ended: bool = True


class AlertStore:
    """The one writer of the file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._alerts: dict[str, Alert] = {}  # as they are in the file
        self._incidents: dict[int, Incident] = {}

    def load(self, now: float) -> Stored:
        """What is there; nothing where it can't be read."""
        return self._tried(lambda connection: self._load(connection, now)) or Stored()

    def save(
        self, at: float, alerts: Mapping[str, Alert], incidents: Iterable[Incident] = (),
        notices: Sequence[tuple[Notice, tuple[str, ...]]] = (), minutes: Iterable[Minute] = (), *, heard: Iterable[str] = (),
        ended: bool = False,
    ) -> bool:  # fmt: skip
        """Write what changed, all of it or nothing; whether it is on the disk. `heard`: acknowledgements that were."""
        changed = {name: alert for name, alert in alerts.items() if self._alerts.get(name) != alert}
        gone = [name for name in self._alerts if name not in alerts]
        fresh = {each.number: each for each in incidents if self._incidents.get(each.number) != each}

        def write(connection: sqlite3.Connection) -> bool:
            with connection:
                rows = [(name, json.dumps(alert.to_json())) for name, alert in changed.items()]
                connection.executemany("insert or replace into alert values (?, ?)", rows)
                connection.executemany("delete from alert where name = ?", [(name,) for name in gone])
                connection.executemany("delete from acknowledgement where name = ?", [(name,) for name in heard])
                states = [(number, json.dumps(each.to_json())) for number, each in fresh.items()]
                connection.executemany("insert or replace into incident values (?, ?)", states)
                connection.executemany(
                    "insert into pending (notice, keys) values (?, ?)",
                    [(notice.to_json(), json.dumps(keys)) for notice, keys in notices],
                )
                _write_minutes(connection, minutes)
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

    def wishes(self, now: float) -> tuple[tuple[Silence, ...], dict[str, str]]:
        """What people asked for: silences, and who acknowledged which alert."""
        silences = self._tried(lambda connection: _silences(connection, now)) or ()
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
                    self._connection = _open(self.path)
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


def _open(path: Path) -> sqlite3.Connection:
    made = not path.exists()
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level="IMMEDIATE", check_same_thread=False)
    try:
        if made:
            os.chmod(path, 0o600)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")  # what was decided is told even if the power goes now
        (version,) = connection.execute("pragma user_version").fetchone()
        if version != _VERSION:
            if version or connection.execute("select count(*) from sqlite_master").fetchone() != (0,):
                raise sqlite3.DatabaseError(f"it holds no alerts of version {_VERSION}")
            connection.executescript(f"begin; {_SCHEMA} pragma user_version = {_VERSION}; commit;")
    except BaseException:
        connection.close()
        raise
    return connection


def _write_minutes(connection: sqlite3.Connection, minutes: Iterable[Minute]) -> None:
    rows = [(m.at, m.requests, m.failed, m.slow, m.seen, m.down) for m in minutes]
    if rows:
        connection.executemany("insert or replace into minute values (?, ?, ?, ?, ?, ?)", rows)
        connection.execute("delete from minute where at < ?", [rows[-1][0] - _KEEP_MINUTES])
        connection.execute(
            "delete from incident where number <= (select max(number) from incident) - ?", [_MOST_INCIDENTS]
        )


def _silences(connection: sqlite3.Connection, now: float) -> tuple[Silence, ...]:
    rows = connection.execute("select pattern, until, by, why from silence where until > ? order by id", [now])
    return tuple(Silence(*row) for row in rows)


class Alerts:
    """What people see of the file at `path`, and do there, from any process; what can't be read is empty."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def firing(self) -> list[Alert]:
        """The alerts that fire, the oldest first."""
        found = [Alert.from_json(json.loads(state)) for (state,) in self._ask("select state from alert")]
        return sorted((each for each in found if each.firing), key=lambda each: each.firing_since or 0.0)

    def incidents(self, since: float = 0.0, most: int = 100) -> list[Incident]:
        """Those that ended after `since`, Unix seconds, or go on; the newest first."""
        rows = self._ask("select state from incident order by number desc limit ?", most)
        found = [Incident.from_json(json.loads(state)) for (state,) in rows]
        return [each for each in found if each.ended is None or each.ended >= since]

    def ledger(self, now: float) -> Ledger:
        """The minutes of the last 31 days, for `budget` and `burns`."""
        rows = self._ask(
            "select at, requests, failed, slow, seen, down from minute where at >= ? order by at", now - _KEEP_MINUTES
        )
        return Ledger(Minute(*row) for row in rows)

    def silences(self, now: float) -> tuple[Silence, ...]:
        """Those that hold at `now`, Unix seconds."""
        rows = self._ask("select pattern, until, by, why from silence where until > ? order by id", now)
        return tuple(Silence(*row) for row in rows)

    def silence(self, silence: Silence) -> None:
        """Nobody is told of what it covers until it ends; one of the same pattern is replaced. OSError, sqlite3.Error."""
        with closing(_open(self.path)) as connection, connection:
            connection.execute("delete from silence where pattern = ?", [silence.pattern])
            connection.execute(
                "insert into silence (pattern, until, by, why) values (?, ?, ?, ?)",
                [silence.pattern, silence.until, silence.by, silence.why],
            )

    def acknowledge(self, name: str, by: str) -> None:
        """Somebody looks after the alert `name` that fires; KeyError when it doesn't. OSError, sqlite3.Error."""
        if name not in {alert.name for alert in self.firing()}:
            raise KeyError(name)
        with closing(_open(self.path)) as connection, connection:
            connection.execute("insert or replace into acknowledgement values (?, ?)", [name, by])

    def _ask(self, statement: str, *parameters: object) -> list[Any]:
        if not self.path.exists():
            return []
        try:
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=0.5)) as connection:
                return connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            _outage.failed("alerts", f"{self.path} cannot be read: {error}")
            return []
