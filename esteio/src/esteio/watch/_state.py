"""What this watcher heard of jobs, and when it last lived: an SQLite file that survives it.

Promises: what `save` returned from is there after a kill -9. A file of an older release is brought up to date when it is
opened, in one transaction; one of a newer release is refused and left alone. While the disk is full, what was heard is kept in
memory.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from esteio.errors import EsteioError
from esteio.outage_log import OutageLog
from esteio.watch._heartbeat import Beat

__all__ = ["StateFile", "StateTooNew"]

_logger = logging.getLogger("esteio.watch")
_outage = OutageLog(_logger)

# Each brings a file from the version that is its place to the next one; those that were released are never edited.
_UPGRADES = (
    """
    create table beat (name text primary key, since real not null, success real, start real, fail real,
        text text not null default '', excused real) without rowid;
    create table alive (at real not null);
    """,
    "alter table beat add column took real;",
)
_COLUMNS = ("since", "success", "start", "fail", "text", "took", "excused")


class StateTooNew(EsteioError):
    """The file at `path` was written by a newer release: it has `version`, and this release knows `known`."""

    def __init__(self, path: Path, version: int, known: int) -> None:
        self.path = path
        self.version = version
        self.known = known
        super().__init__(
            f"{path} has version {version}, this release knows up to {known}; install the newer release again, or "
            "move the file away, which forgets when jobs were last heard of"
        )


class StateFile:
    """One writer, in one thread at a time; `StateTooNew`, OSError or sqlite3.Error when it can't be opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        made = not path.exists()
        self._connection = sqlite3.connect(path, timeout=2.0, isolation_level=None, check_same_thread=False)
        try:
            if made:
                os.chmod(path, 0o600)
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute("pragma synchronous = normal")
            self._upgrade()
        except BaseException:
            self._connection.close()
            raise

    def beats(self) -> dict[str, Beat]:
        """All jobs by name."""
        rows = self._connection.execute(f"select name, {', '.join(_COLUMNS)} from beat")  # noqa: S608 - our own names
        return {name: Beat(**dict(zip(_COLUMNS, values, strict=True))) for name, *values in rows}

    def save(self, name: str, beat: Beat) -> None:
        """Remember what is known of the job."""
        values = [getattr(beat, column) for column in _COLUMNS]
        marks = ", ".join("?" * (len(_COLUMNS) + 1))
        self._write(f"insert or replace into beat (name, {', '.join(_COLUMNS)}) values ({marks})", [name, *values])  # noqa: S608

    def keep(self, names: Iterable[str]) -> None:
        """Forget all jobs but these."""
        for name in self.beats().keys() - set(names):
            self._write("delete from beat where name = ?", [name])

    @property
    def alive_at(self) -> float | None:
        """When this watcher last said that it lives, Unix seconds; None in a new file."""
        row = self._connection.execute("select at from alive").fetchone()
        return None if row is None else float(row[0])

    def alive(self, at: float) -> None:
        """Remember that this watcher lives."""
        self._write("insert or replace into alive (rowid, at) values (1, ?)", [at])

    def close(self) -> None:
        """Let go of the file."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def _write(self, statement: str, values: list[object]) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.Error as error:
            _outage.failed("watch state", f"{self.path}: {error}; it is kept in memory")

    def _upgrade(self) -> None:
        (version,) = self._connection.execute("pragma user_version").fetchone()
        if version > len(_UPGRADES):
            raise StateTooNew(self.path, version, len(_UPGRADES))
        if version < len(_UPGRADES):
            script = "".join(_UPGRADES[version:])
            self._connection.executescript(f"begin immediate; {script} pragma user_version = {len(_UPGRADES)}; commit;")
