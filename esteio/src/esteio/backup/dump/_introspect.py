"""What a database is and holds: its properties, its tables, and a digest of each.

Promises: equal content gives equal digests on every server of the same major, in whatever order the rows lie and
whatever the settings of roles and databases are. All rows are counted; of a large table a sample of about a thousand
is hashed - those whose key hashes to a multiple of `one_in`, so the same rows are found after a restore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from esteio.backup._details import DetailCode
from esteio.backup._manifest import Database, Grant, TableDigest
from esteio.backup._session import Connection, one

__all__ = [
    "LARGE_OBJECTS",
    "Table",
    "compare",
    "describe",
    "digest_tables",
    "extensions",
    "is_superuser",
    "large_objects_size",
    "list_tables",
    "log_position",
    "needed_roles",
    "roles_with_password",
    "server_version",
    "settings_of",
]

_DATABASE = """
select d.datname::text, pg_get_userbyid(d.datdba)::text, pg_encoding_to_char(d.encoding)::text,
       case {provider} when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end,
       d.datcollate::text, d.datctype::text, {locale}, pg_database_size(d.oid), shobj_description(d.oid, 'pg_database'),
       d.datacl is null
  from pg_database d where d.datname = current_database()"""
_SETTINGS = """
select coalesce(r.rolname::text, ''), unnest(s.setconfig)
  from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase left join pg_roles r on r.oid = s.setrole
 where d.datname = %s order by 1, 2"""
_GRANTS = """
select coalesce(r.rolname::text, ''), a.privilege_type, a.is_grantable
  from pg_database d cross join aclexplode(d.datacl) a left join pg_roles r on r.oid = a.grantee
 where d.datname = current_database() order by 1, 2"""
_ROLES = """
select distinct r.rolname::text
  from pg_shdepend s join pg_roles r on r.oid = s.refobjid and s.refclassid = 'pg_authid'::regclass
  join pg_database d on d.datname = current_database()
 where s.dbid = d.oid or (s.classid = 'pg_database'::regclass and s.objid = d.oid)
union select r.rolname::text from pg_db_role_setting s join pg_roles r on r.oid = s.setrole
  join pg_database d on d.oid = s.setdatabase where d.datname = current_database()
union select pg_get_userbyid(datdba)::text from pg_database where datname = current_database()
order by 1"""
_LOG = "select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end::text"


def describe(conn: Connection) -> Database:
    """The database one is connected to."""
    major = conn.info.server_version // 10000
    provider = "d.datlocprovider" if major >= 15 else "'c'"
    locale = "d.datlocale" if major >= 17 else "d.daticulocale" if major >= 15 else "null::text"
    row: Any = conn.execute(_DATABASE.format(provider=provider, locale=locale).encode()).fetchone()
    name, owner, encoding, kind, collate, ctype, language, size, comment, plain = row
    return Database(
        name,
        owner,
        encoding,
        kind,
        collate,
        ctype,
        language,
        size,
        settings=settings_of(conn, name),
        grants=None if plain else tuple(Grant(*grant) for grant in conn.execute(_GRANTS)),
        comment=comment,
    )


def settings_of(conn: Connection, database: str) -> tuple[tuple[str, str], ...]:
    """A role ('' for all) and `name=value`, for each that was set for `database`."""
    return tuple((role, setting) for role, setting in conn.execute(_SETTINGS, [database]))


def roles_with_password(conn: Connection) -> tuple[str, ...]:
    """Their names; only a superuser may ask."""
    query = "select rolname::text from pg_catalog.pg_authid where rolpassword is not null order by 1"
    return tuple(role for (role,) in conn.execute(query))


def server_version(conn: Connection) -> str:
    """Such as `18.4`."""
    number = conn.info.server_version
    return f"{number // 10000}.{number % 10000}"


def extensions(conn: Connection) -> dict[str, str]:
    """Installed ones with their versions."""
    return dict(conn.execute("select extname::text, extversion from pg_extension order by 1").fetchall())


def needed_roles(conn: Connection) -> tuple[str, ...]:
    """Roles that own or may do something in the database, those PostgreSQL is made with excepted."""
    return tuple(role for (role,) in conn.execute(_ROLES) if not role.startswith("pg_"))


def is_superuser(conn: Connection) -> bool:
    """Whether we may see everything, passwords included."""
    return bool(one(conn, "select rolsuper from pg_roles where rolname = current_user"))


def large_objects_size(conn: Connection) -> int:
    """Bytes on the disk."""
    return int(one(conn, "select pg_table_size('pg_catalog.pg_largeobject')"))


def log_position(conn: Connection) -> str:
    """Where the write-ahead log is."""
    return str(one(conn, _LOG))


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
            yield DetailCode.TABLE_MISSING(table=name)
        elif other.rows != digest.rows:
            yield DetailCode.ROWS_DIFFER(table=name, found=other.rows, written=digest.rows)
        elif other.hash != digest.hash:
            yield DetailCode.CONTENT_DIFFERS(table=name, rows=digest.rows)
    for name in found.keys() - expected.keys():
        yield DetailCode.TABLE_UNKNOWN(table=name)


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
