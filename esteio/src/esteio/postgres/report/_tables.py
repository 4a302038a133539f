"""How big the tables are, and whether the server gets to clean them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["LIMIT", "TABLES", "TableReport", "tables"]

LIMIT = 300

# The size of a table that somebody is rewriting would be waited for.
TABLES = f"""
SELECT s.schemaname, s.relname,
       CASE WHEN NOT l.taken THEN pg_total_relation_size(s.relid) END,
       CASE WHEN NOT l.taken THEN pg_indexes_size(s.relid) END,
       s.n_live_tup, s.n_dead_tup, s.seq_scan, s.seq_tup_read, coalesce(s.idx_scan, 0), s.n_mod_since_analyze,
       greatest(s.last_vacuum, s.last_autovacuum), greatest(s.last_analyze, s.last_autoanalyze),
       age(c.relfrozenxid)
  FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
 CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_locks WHERE relation = s.relid AND granted
                       AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid()) AS taken) l
 ORDER BY c.relpages DESC, s.schemaname, s.relname
 LIMIT {LIMIT}
"""  # noqa: S608 - our own constants


@dataclass(frozen=True, slots=True)
class TableReport:
    """One table; counters run since the statistics were last reset."""

    schema: str
    name: str
    bytes: int | None
    """With indexes and what is stored outside of the rows; None while somebody rewrites it."""
    index_bytes: int | None
    live_rows: int
    dead_rows: int
    """Versions of rows that only await the next vacuum; an estimate, as all row counts here."""
    sequential_scans: int
    rows_read_by_scans: int
    index_scans: int
    changed_rows: int
    """Since it was last analyzed."""
    last_vacuum: datetime | None
    """By hand or by itself."""
    last_analyze: datetime | None
    oldest_transaction_age: int | None
    """Transactions since its oldest unfrozen row; at 2 billion the server stops taking writes."""

    @property
    def dead_share(self) -> float:
        """Dead rows among all, 0 to 1."""
        rows = self.live_rows + self.dead_rows
        return self.dead_rows / rows if rows else 0.0


def tables(rows: Sequence[Sequence[Any]]) -> tuple[TableReport, ...]:
    """The records of the rows of `TABLES`, the biggest first."""
    found = (TableReport(*row) for row in rows)
    return tuple(sorted(found, key=lambda table: table.bytes or 0, reverse=True))
