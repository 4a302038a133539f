"""What the server knows that the text of a migration does not say.

Promises: reads only, within the transaction of the connection it is given; waits for no lock on a table that has
ever been analyzed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from esteio.postgres.migrations._hazards import Hazard
from esteio.postgres.migrations._rules import MigrationRules

__all__ = ["BigTable", "Seen", "applies", "big_tables", "look", "table_of"]

# A partitioned table is as big as its partitions together, and each of them counts as that table.
_BIG = """
WITH size AS (
    SELECT c.oid, c.relkind, greatest(c.reltuples, 0)::float8 AS rows,
           CASE WHEN c.reltuples < 0 THEN coalesce(pg_relation_size(c.oid), 0) ELSE c.relpages * 8192.0 END::float8 AS bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
), big AS (
    SELECT oid, oid AS root, rows, bytes FROM size WHERE relkind <> 'p'
    UNION ALL
    SELECT t.relid, p.oid, sum(s.rows) OVER w, sum(s.bytes) OVER w
    FROM size p CROSS JOIN LATERAL pg_partition_tree(p.oid) t JOIN size s ON s.oid = t.relid
    WHERE p.relkind = 'p' WINDOW w AS (PARTITION BY p.oid)
)
SELECT DISTINCT ON (oid) oid::int8, root::regclass::text, rows, bytes FROM big
WHERE rows > %s OR bytes > %s ORDER BY oid, rows DESC
"""
_LOOK = """
SELECT c.oid::int8, coalesce(pg_relation_filenode(c.oid), 0)::int8, pg_stat_get_xact_tuples_returned(c.oid),
       coalesce((SELECT max(l.mode) FROM pg_locks l
                 WHERE l.locktype = 'relation' AND l.pid = pg_backend_pid() AND l.relation = c.oid AND l.granted
                   AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')), '')
FROM pg_class c WHERE c.oid = ANY (%s::oid[])
"""
_TEXTS = re.compile(r"(character varying|varchar)(?: ?\( ?(\d+) ?\))?|text")


@dataclass(frozen=True, slots=True)
class BigTable:
    """A table that others would miss; `rows` and `bytes` are the server's estimates."""

    name: str
    rows: float
    bytes: float

    @property
    def size(self) -> str:
        """For people to read."""
        return f"about {self.rows:,.0f} rows, {self.bytes / 2**20:,.0f} MiB"


@dataclass(frozen=True, slots=True)
class Seen:
    """What our transaction has done to a table: `lock` is its strongest lock that keeps writers or readers out."""

    file: int
    read: int
    lock: str


def big_tables(conn: Connection[Any], rules: MigrationRules) -> dict[int, BigTable]:
    """The big tables of this database by oid, partitions under the name of their table."""
    found = _ask(conn, _BIG, [rules.big_rows, rules.big_bytes])
    return {oid: BigTable(name, rows, size) for oid, name, rows, size in found}


def look(conn: Connection[Any], tables: dict[int, BigTable]) -> dict[int, Seen]:
    """What the transaction has done to each of `tables` that still exists."""
    if not tables:
        return {}
    return {oid: Seen(file, read, lock) for oid, file, read, lock in _ask(conn, _LOOK, [list(tables)])}


def table_of(conn: Connection[Any], relation: str) -> int | None:
    """The oid of `relation` as SQL names it, or of the table it is an index of."""
    query = "SELECT coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = r), r)::int8 FROM to_regclass(%s) r"
    ((oid,),) = _ask(conn, query, [relation])
    return None if oid is None else int(oid)


def applies(conn: Connection[Any], table: int, hazard: Hazard) -> bool:
    """Whether the catalog confirms what the text of a statement on `table` leaves open."""
    if hazard.question == "volatile function":
        query = "SELECT 1 FROM pg_proc WHERE proname = ANY (%s) AND provolatile = 'v' LIMIT 1"
        return bool(_ask(conn, query, [list(hazard.subject)]))
    if hazard.question == "not null":
        return not _known_not_null(conn, table, hazard.subject[0])
    if hazard.question == "type":
        return not _stays_as_stored(conn, table, *hazard.subject)
    return True


def _known_not_null(conn: Connection[Any], table: int, column: str) -> bool:
    query = """
    SELECT 1 FROM pg_attribute a WHERE a.attrelid = %(table)s::oid AND quote_ident(a.attname) = %(column)s AND (
        a.attnotnull AND NOT EXISTS (
            SELECT FROM pg_constraint n WHERE n.conrelid = a.attrelid AND n.contype = 'n' AND NOT n.convalidated
                                          AND n.conkey = ARRAY[a.attnum])
        OR EXISTS (
            SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype = 'c' AND c.convalidated
                AND pg_get_constraintdef(c.oid) = format('CHECK ((%%I IS NOT NULL))', a.attname)))
    """
    return bool(_ask(conn, query, {"table": table, "column": column}))


def _stays_as_stored(conn: Connection[Any], table: int, column: str, wanted: str) -> bool:
    """Whether a column's values are the same bytes under the `wanted` type: text that only gets more room."""
    query = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::oid AND quote_ident(attname) = %s"
    found = _ask(conn, query, [table, column])
    old, new = _TEXTS.fullmatch(found[0][0] if found else ""), _TEXTS.fullmatch(wanted)
    if old is None or new is None:
        return False
    return new[2] is None or (old[2] is not None and int(new[2]) >= int(old[2]))


def _ask(conn: Connection[Any], query: str, params: Any) -> list[Any]:
    with conn.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query, params).fetchall()
