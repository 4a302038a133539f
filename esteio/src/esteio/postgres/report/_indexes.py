"""Which indexes cost more than they give.

Promises: an index is called `unused` only where nothing but speed depends on it, `redundant` only where
another one of the same table answers everything it answers, and `invalid` where a build was never finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["INDEXES", "LIMIT", "IndexReport", "indexes"]

LIMIT = 1000

INDEXES = f"""
SELECT s.schemaname, s.relname, s.indexrelname,
       CASE WHEN NOT EXISTS (SELECT FROM pg_locks WHERE relation IN (s.relid, s.indexrelid) AND granted
                                AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid())
            THEN pg_relation_size(s.indexrelid) END,
       s.idx_scan, i.indisvalid AND i.indisready,
       i.indisunique OR i.indisexclusion OR EXISTS (SELECT FROM pg_constraint WHERE conindid = s.indexrelid),
       a.amname, i.indnkeyatts,
       i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text,
       concat_ws('|', i.indexprs::text, i.indpred::text)
  FROM pg_stat_user_indexes s
  JOIN pg_index i ON i.indexrelid = s.indexrelid
  JOIN pg_class c ON c.oid = s.indexrelid
  JOIN pg_am a ON a.oid = c.relam
 ORDER BY c.relpages DESC, s.schemaname, s.indexrelname
 LIMIT {LIMIT}
"""  # noqa: S608 - our own constants


@dataclass(frozen=True, slots=True)
class IndexReport:
    """One index; counters run since the statistics were last reset."""

    schema: str
    table: str
    name: str
    bytes: int | None
    """None while somebody rewrites it."""
    scans: int
    valid: bool
    """False: its build failed or still runs; it costs writes and answers nothing."""
    enforces: bool
    """Whether a constraint stands on it."""
    redundant_with: tuple[str, ...]
    """Indexes of the same table that begin with the same columns, or are the same."""

    @property
    def unused(self) -> bool:
        """Whether it was never read although nothing else depends on it."""
        return self.valid and not self.enforces and self.scans == 0


@dataclass(frozen=True, slots=True)
class _Shape:
    """What an index can answer."""

    method: str
    keys: tuple[tuple[int, ...], ...]
    """Column, operator class, collation and order of each key."""
    included: tuple[int, ...]
    special: str
    """Expressions and predicate; where there are any, only an equal index is redundant."""

    def is_answered_by(self, other: _Shape) -> bool:
        if self.method != other.method or self.special != other.special:
            return False
        if not set(self.included) <= {*other.included, *(key[0] for key in other.keys)}:
            return False
        if self.method != "btree" or self.special:
            return self.keys == other.keys
        return self.keys == other.keys[: len(self.keys)]


def indexes(rows: Sequence[Sequence[Any]]) -> tuple[IndexReport, ...]:
    """The records of the rows of `INDEXES`, the biggest first."""
    found: list[tuple[IndexReport, _Shape]] = []
    by_table: dict[tuple[str, str], list[tuple[IndexReport, _Shape]]] = {}
    for row in rows:
        one = IndexReport(*row[:7], ()), _shape(*row[7:])  # type: ignore[call-arg]
        found.append(one)
        by_table.setdefault((one[0].schema, one[0].table), []).append(one)
    return tuple(
        replace(index, redundant_with=_redundant_with(index, shape, by_table[index.schema, index.table]))
        for index, shape in found
    )


def _redundant_with(index: IndexReport, shape: _Shape, neighbours: list[tuple[IndexReport, _Shape]]) -> tuple[str, ...]:
    if index.enforces or not index.valid:
        return ()
    return tuple(
        other.name
        for other, theirs in neighbours
        if other.name != index.name
        and other.valid
        and shape.is_answered_by(theirs)
        # Of two that are the same, one is to stay: the one that enforces something, else the first by name.
        and (other.enforces or not theirs.is_answered_by(shape) or other.name < index.name)
    )


def _shape(method: str, key_count: int, *parts: Any) -> _Shape:
    *vectors, special = parts
    columns, classes, collations, options = ([int(number) for number in vector.split()] for vector in vectors)
    keys = tuple(zip(columns[:key_count], classes, collations, options, strict=False))
    return _Shape(method, keys, tuple(columns[key_count:]), special)
