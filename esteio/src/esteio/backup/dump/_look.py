"""What is true of a database and its server, as far as a restore needs to know.

Promises: only catalogues that every role may read are looked at; what a dump of the content does not hold - who owns
the database, its collation, its own settings, rights and comment - is here.
"""

from __future__ import annotations

from typing import Any

from esteio.backup._manifest import Database, Grant
from esteio.backup._session import Connection, one

__all__ = [
    "describe",
    "extensions",
    "is_superuser",
    "large_objects_size",
    "log_position",
    "needed_roles",
    "server_version",
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
 where d.datname = current_database() order by 1, 2"""
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
        settings=tuple((role, setting) for role, setting in conn.execute(_SETTINGS)),
        grants=None if plain else tuple(Grant(*grant) for grant in conn.execute(_GRANTS)),
        comment=comment,
    )


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
