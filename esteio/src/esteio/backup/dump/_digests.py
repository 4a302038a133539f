"""How many rows each table has, and a number that changes when a row does.

Promises: equal content gives equal digests on every server of the same major, in whatever order the rows lie and
whatever the settings of roles and databases are. All rows are counted; of a large table a sample of about a thousand
is hashed - those whose key hashes to a multiple of `one_in`, so the same rows are found after a restore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from psycopg import sql

from esteio.backup._manifest import TableDigest
from esteio.backup._session import Connection, one

__all__ = ["LARGE_OBJECTS", "Table", "compare", "digest_tables", "list_tables"]

LARGE_OBJECTS = "(large objects)"
_PIECE = 256 * 1024  # bytes of a large object that are hashed at once
_SAMPLED = 1000  # rows that are hashed, at least and about

_TABLES = """
select format('%I.%I', n.nspname, c.relname), n.nspname, c.relname,
       (coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::int
        * case when c.reltuples > 0 and c.relpages > 0 then c.reltuples / c.relpages else 50 end)::bigint,
       coalesce(pg_table_size(c.oid), 0),
       coalesce((select array_agg(a.attname::text order by k.place)
                   from pg_index i
                  cross join unnest(i.indkey::smallint[]) with ordinality as k (attnum, place)
                   join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
                  where i.indrelid = c.oid and i.indisprimary), '{}')
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
   and not exists (select from pg_depend d
                    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
 order by 1"""
_ALL = sql.SQL("""
select count(*), coalesce(sum(hashtextextended(t::text collate "C", 0)), 0)::text from only {table} as t""")
# Counted apart: an index may do for that, and a filter in the aggregate would take every row apart to its last column.
_SAMPLE = sql.SQL("""
select (select count(*) from only {table}), coalesce(sum(hashtextextended(t::text collate "C", 0)), 0)::text
  from only {table} as t
 where hashtextextended(({key}) collate "C", 0) % {one_in} = 0""")
# An object may have more bytes than a value can: it is hashed piece by piece, to its end.
_OBJECTS_DIGEST = """
with recursive sampled (oid) as (
    select oid from pg_largeobject_metadata where hashint8extended(oid::bigint, 0) %% %(one_in)s = 0
), piece (oid, number, data) as (
    select oid, 0::bigint, lo_get(oid, 0, %(size)s) from sampled
    union all
    select oid, number + 1, lo_get(oid, (number + 1) * %(size)s, %(size)s) from piece where length(data) = %(size)s
)
select (select count(*) from pg_largeobject_metadata),
       coalesce(sum(hashtextextended(oid::text || ' ' || number::text || ' ' || encode(sha256(data), 'hex'), 0)), 0)::text
  from piece"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is found: `name` is quoted and qualified, `key` its primary key.

    `estimate` is about how many rows it has, `size` its bytes on the disk without indexes.
    """

    name: str
    schema: str
    relation: str
    estimate: int
    size: int
    key: tuple[str, ...]


def list_tables(conn: Connection) -> list[Table]:
    """All ordinary tables with content of their own; those of extensions are the extension's business."""
    return [
        Table(name, schema, relation, estimate, size, tuple(key))
        for name, schema, relation, estimate, size, key in conn.execute(_TABLES)
    ]


def digest_tables(
    conn: Connection,
    expected: Mapping[str, TableDigest] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, TableDigest]:
    """The digest of each table by name, sampled as in `expected` where that is given; (done, total) goes to `progress`.

    Numbers agree with a dump only when both look at the same snapshot.
    """
    tables = list_tables(conn)
    found: dict[str, TableDigest] = {}
    for done, table in enumerate(tables):
        progress(done, len(tables))
        given = (expected or {}).get(table.name)
        one_in = given.one_in if given else max(1, table.estimate // _SAMPLED)
        found[table.name] = _digest(conn, table, one_in)
    progress(len(tables), len(tables))
    objects = int(one(conn, "select count(*) from pg_largeobject_metadata"))
    given = (expected or {}).get(LARGE_OBJECTS)
    if objects or given:
        found[LARGE_OBJECTS] = _digest_objects(conn, given.one_in if given else max(1, objects // _SAMPLED))
    return found


def compare(expected: Mapping[str, TableDigest], found: Mapping[str, TableDigest]) -> list[str]:
    """What differs, one sentence per table; empty when nothing does."""
    return list(_differences(expected, found))


def _differences(expected: Mapping[str, TableDigest], found: Mapping[str, TableDigest]) -> Iterable[str]:
    for name, digest in expected.items():
        other = found.get(name)
        if other is None:
            yield f"{name} is missing"
        elif other.rows != digest.rows:
            yield f"{name} has {other.rows} rows, not {digest.rows}"
        elif other.hash != digest.hash:
            yield f"{name} has as many rows ({digest.rows}), but other content"
    for name in found.keys() - expected.keys():
        yield f"{name} is not in the manifest"


def _digest(conn: Connection, table: Table, one_in: int) -> TableDigest:
    columns = [sql.SQL("t.{}::text").format(sql.Identifier(name)) for name in table.key]
    key = sql.SQL(" || ' ' || ").join(columns) if columns else sql.SQL("t::text")
    statement = _ALL if one_in == 1 else _SAMPLE
    named = sql.Identifier(table.schema, table.relation)
    rows, total = conn.execute(statement.format(table=named, key=key, one_in=one_in)).fetchone() or (0, "0")
    return TableDigest(rows, one_in, total)


def _digest_objects(conn: Connection, one_in: int) -> TableDigest:
    rows, total = conn.execute(_OBJECTS_DIGEST, {"one_in": one_in, "size": _PIECE}).fetchone() or (0, "0")
    return TableDigest(rows, one_in, total)
