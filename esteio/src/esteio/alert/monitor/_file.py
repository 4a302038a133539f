"""The SQLite file of the alerts on this host: its tables.

Promises: an older file gets what was added since, and an older release can still read and write it. DatabaseError for a file
that is damaged or of another kind.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

__all__ = ["open_alerts"]

_VERSION = 1
_PATIENCE = 0.5  # seconds for a lock: a round must not wait longer for one than for the next round

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
# Added since: made in older files too, and not looked at by older releases. Hours are kept when their minutes are gone.
_ADDED = """
create table if not exists hour (at integer primary key, requests integer not null, failed integer not null,
    slow integer not null, seen real not null, down real not null);
create table if not exists backup (name text primary key, began real not null, state text not null) without rowid;
"""


def open_alerts(path: Path) -> sqlite3.Connection:
    """A connection that may write; the file and its tables are made where they are missing. OSError, sqlite3.Error."""
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
        connection.executescript(_ADDED)
    except BaseException:
        connection.close()
        raise
    return connection
