"""One look at the whole database.

Promises: a role without privileges gets a report too, and is told what would show it the rest; it waits for
no lock, and its lists are bounded. The numbers are of one moment, not of one snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from esteio.postgres.report import _activity, _indexes, _tables
from esteio.postgres.report._activity import Session
from esteio.postgres.report._indexes import IndexReport
from esteio.postgres.report._tables import TableReport

if TYPE_CHECKING:
    from esteio.postgres._database import Database

__all__ = ["Report", "report"]

_SERVER = """
SELECT current_database(), current_user, clock_timestamp(), current_setting('server_version'),
       pg_is_in_recovery(), pg_database_size(current_database()),
       (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()),
       (SELECT count(*)::int FROM pg_stat_activity WHERE coalesce(backend_type, 'client backend') = 'client backend'),
       current_setting('max_connections')::int
"""


@dataclass(frozen=True, slots=True)
class Report:
    """A database at one moment."""

    database: str
    role: str
    at: datetime
    server_version: str
    standby: bool
    """Whether the server follows another one and takes no writes."""
    bytes: int
    statistics_since: datetime | None
    """Since when the counters of tables and indexes run; None: since the database was made."""
    connections: int
    """To all databases of the server, as far as our role may see."""
    max_connections: int
    sessions: tuple[Session, ...]
    """Of this database, the longest transaction first."""
    tables: tuple[TableReport, ...]
    """The biggest first."""
    indexes: tuple[IndexReport, ...]
    hints: tuple[str, ...]
    """What limits this report, and what to do about it."""

    @property
    def blocked(self) -> tuple[Session, ...]:
        """Sessions that wait for somebody else's lock."""
        return tuple(session for session in self.sessions if session.blocked_by)

    @property
    def idle_in_transaction(self) -> tuple[Session, ...]:
        """Sessions that hold a transaction open without doing anything."""
        return tuple(session for session in self.sessions if session.idles_in_transaction)

    def long_transactions(self, seconds: float) -> tuple[Session, ...]:
        """Sessions whose transaction is older than `seconds`."""
        return tuple(session for session in self.sessions if (session.transaction_seconds or 0.0) > seconds)


async def report(db: Database) -> Report:
    """Look at the database of `db` with one of its connections."""
    async with db.connection() as conn:
        about = await (await conn.execute(_SERVER)).fetchone()
        assert about is not None
        sessions = _activity.sessions(await (await conn.execute(_activity.SESSIONS)).fetchall())
        tables = _tables.tables(await (await conn.execute(_tables.TABLES)).fetchall())
        indexes = _indexes.indexes(await (await conn.execute(_indexes.INDEXES)).fetchall())
    hints = tuple(_hints(about[1], sessions, tables, indexes))
    return Report(*about, sessions, tables, indexes, hints)  # type: ignore[call-arg]


def _hints(
    role: str, sessions: tuple[Session, ...], tables: tuple[TableReport, ...], indexes: tuple[IndexReport, ...]
) -> list[str]:
    hints = []
    hidden = sum(session.hidden for session in sessions)
    if hidden:
        grant = f'GRANT pg_read_all_stats TO "{role}"'
        hints.append(f"{hidden} of {len(sessions)} sessions belong to roles that {role} may not see: {grant}")
    for what, found, limit in (
        ("sessions", sessions, _activity.LIMIT),
        ("tables", tables, _tables.LIMIT),
        ("indexes", indexes, _indexes.LIMIT),
    ):
        if len(found) >= limit:
            hints.append(f"only {limit} {what} are listed")
    if any(table.bytes is None for table in tables):
        hints.append("the size of a table that is being rewritten is not known")
    return hints
