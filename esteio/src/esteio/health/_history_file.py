"""The SQLite file of a health history: its tables, and its blocks of five minutes.

Promises: an older file gets what was added since, and an older release can still read it. DatabaseError for a file that is
damaged or of another kind.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path

__all__ = ["DAY", "FIVE_MINUTES", "MINUTE", "SLOTS", "Mark", "open_history", "packed", "unpacked"]

MINUTE, FIVE_MINUTES, DAY = 60, 300, 86_400
SLOTS = DAY // FIVE_MINUTES
# The greatest value, then as parts of it averages and maxima of the five minutes of a day, NaN where there is none. Half
# precision is exact to 0.05 %, and with it three blocks fit on a page of the file.
_BLOCK = struct.Struct(f"<d{2 * SLOTS}e")
_VERSION = 1

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


def open_history(path: Path) -> sqlite3.Connection:
    """A connection for the one writer; the file and its tables are made where they are missing. OSError, sqlite3.Error."""
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


def packed(block: Sequence[float]) -> bytes:
    """A day of one series: 2 x `SLOTS` values, averages and then maxima, NaN where there is none."""
    scale = max((abs(value) for value in block if isfinite(value)), default=1.0) or 1.0
    return zlib.compress(_BLOCK.pack(scale, *(value / scale for value in block)), 6)


def unpacked(block: bytes) -> tuple[float, ...]:
    """What `packed` wrote; all NaN where it is damaged."""
    try:
        scale, *parts = _BLOCK.unpack(zlib.decompress(block))
        return tuple(scale * part for part in parts)
    except (zlib.error, struct.error):
        return (nan,) * (2 * SLOTS)
