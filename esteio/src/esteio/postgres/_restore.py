"""What a borrower may leave behind in a session, and how it is undone.

Promises: `changes_session` is true for every statement whose text can outlast its transaction: SET and its relatives,
temporary tables, session-level advisory locks, LISTEN, PREPARE, LOAD, cursors WITH HOLD, and DO and CALL, which may do
any of that. When in doubt it is true, which costs one reset. What functions and triggers of the database do inside is
not in any text: of that only parameters that the server reports are noticed (`REPORTED`).
"""

# ruff: noqa: SLF001 - the driver's setters are coroutines for asyncio, and a connection is given back without waiting
from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from psycopg.adapt import AdaptersMap

if TYPE_CHECKING:
    from psycopg import BaseConnection
    from psycopg.pq.abc import PGconn

__all__ = ["REPORTED", "RESET", "ClientState", "changes_session", "reported"]

RESET = (
    b"CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; DEALLOCATE ALL; UNLISTEN *;"
    b" SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)
"""DISCARD ALL, which may not share a message with anything else, and RESET ROLE, which it lacks: a role given at the
start of the session is the one to return to."""

REPORTED = (
    b"session_authorization",
    b"is_superuser",
    b"search_path",
    b"TimeZone",
    b"in_hot_standby",
    b"default_transaction_read_only",
)
"""Parameters that the server reports whenever they change (search_path from PostgreSQL 18 on)."""

_GAP = r"(?:\s|/\*.*?\*/|--[^\n]*(?:\n|\Z))"
_BEGINNING = re.compile(
    rf"""{_GAP}*(?:
        set\b(?!{_GAP}+(?:local|transaction|constraints)\b)
      | (?:reset|discard|listen|unlisten|prepare|deallocate|load|do|call)\b
      | declare\b.*?\bwith{_GAP}+hold\b
    )""",
    re.VERBOSE | re.DOTALL,
)
_TEMPORARY = re.compile(rf"\b(?:create|replace|local|global|into){_GAP}+temp(?:orary)?\b", re.DOTALL)
_UNTIL_COMMIT = re.compile(r"set_config\s*\((?:[^()]|\([^()]*\))*,\s*true\s*\)")
_ANYWHERE = ("advisory_lock", "pg_temp", "dblink_connect")
_CACHED = 2000  # characters; with the number of entries it bounds the memory for texts to 2 MB


def changes_session(sql: str) -> bool:
    """Whether something of `sql` may be left in the session when its transaction has ended."""
    return _seen(sql) if len(sql) <= _CACHED else _scan(sql)


def _scan(sql: str) -> bool:
    text = sql.lower()
    if any(word in text for word in _ANYWHERE) or ("temp" in text and _TEMPORARY.search(text)):
        return True
    if text.count("set_config") > len(_UNTIL_COMMIT.findall(text)):
        return True
    # A semicolon inside of a literal makes one needless look; what begins a statement is never missed.
    start = 0
    while start >= 0:
        if _BEGINNING.match(text, start):
            return True
        start = text.find(";", start) + 1 or -1
    return False


_seen = lru_cache(maxsize=1024)(_scan)


def reported(pgconn: PGconn) -> tuple[bytes | None, ...]:
    """The parameters that the server reports, which costs no round trip."""
    return tuple(map(pgconn.parameter_status, REPORTED))


class ClientState:
    """What the driver itself holds for a session, as it was when this was made: it can be put back at no round trip."""

    __slots__ = ("_adapters", "_attributes", "_handlers")

    def __init__(self, conn: BaseConnection[Any]) -> None:
        self._attributes = _attributes(conn)
        # A copy shares its tables with the original until somebody registers something there.
        self._adapters = AdaptersMap(conn.adapters)
        self._handlers = tuple(conn._notice_handlers), tuple(conn._notify_handlers)

    def put_back(self, conn: Any) -> None:
        """Undo what was changed on `conn`, which is outside of any transaction."""
        prepared = conn._prepared
        if (  # written out, as this is done for each borrow
            conn._autocommit,
            conn._isolation_level,
            conn._read_only,
            conn._deferrable,
            conn.row_factory,
            conn.cursor_factory,
            conn.server_cursor_factory,
            prepared.prepare_threshold,
            prepared.prepared_max,
        ) != self._attributes:
            (
                conn._autocommit,
                conn._isolation_level,
                conn._read_only,
                conn._deferrable,
                conn.row_factory,
                conn.cursor_factory,
                conn.server_cursor_factory,
                conn._prepared.prepare_threshold,
                conn._prepared.prepared_max,
            ) = self._attributes
            conn._begin_statement = b""  # made from isolation_level, read_only and deferrable
        ours, theirs = self._adapters, conn._adapters
        if (
            theirs._dumpers != ours._dumpers
            or theirs._loaders != ours._loaders
            or theirs._dumpers_by_oid != ours._dumpers_by_oid
        ):
            conn._adapters = AdaptersMap(ours)
        if conn._notice_handlers or conn._notify_handlers or conn._notifies_backlog:
            conn._notice_handlers[:], conn._notify_handlers[:] = self._handlers
            conn._notifies_backlog.clear()


def _attributes(conn: Any) -> tuple[Any, ...]:
    prepared = conn._prepared
    return (
        conn._autocommit,
        conn._isolation_level,
        conn._read_only,
        conn._deferrable,
        conn.row_factory,
        conn.cursor_factory,
        conn.server_cursor_factory,
        prepared.prepare_threshold,
        prepared.prepared_max,
    )
