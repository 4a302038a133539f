"""A database made as another one was: its encoding, collation, owner, settings, rights and comment.

Promises: statements are composed, never pasted. What the server cannot do (an unknown collation) is refused with
PostgreSQL's own reason, before anything is there.
"""

from __future__ import annotations

from typing import LiteralString

import psycopg
from psycopg import sql

from esteio.backup._errors import RestoreRefused
from esteio.backup._manifest import Database
from esteio.backup._session import Connection, connect, undisturbed
from esteio.postgres import Dsn

__all__ = ["create_database", "drop_database", "furnish"]


_PRIVILEGES: dict[str, LiteralString] = {"CREATE": "CREATE", "CONNECT": "CONNECT", "TEMPORARY": "TEMPORARY"}
_LISTS = frozenset({"search_path", "temp_tablespaces"})


def create_database(conn: Connection, name: str, like: Database, *, any_collation: bool = False) -> None:
    """Make the empty database `name` with the properties of `like`; RestoreRefused when the server cannot.

    With `any_collation`, plain C takes the place of a collation the server does not know.
    """
    try:
        conn.execute(_statement(conn, name, like))
    except (psycopg.ProgrammingError, psycopg.NotSupportedError, psycopg.DataError) as error:
        if not any_collation:
            reason = str(error).strip().replace("\n", " ")
            raise RestoreRefused(
                name, f"the server cannot make such a database ({reason})", "see its reason"
            ) from error
        template = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C' OWNER {}")
        conn.execute(template.format(sql.Identifier(name), sql.Literal(like.encoding), sql.Identifier(like.owner)))


def drop_database(admin: Dsn, name: str) -> None:
    """Remove `name`, cutting off who is connected; nothing there: nothing happens."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))

    def drop() -> None:
        try:
            conn.execute(sql.SQL("{} WITH (FORCE)").format(statement))
        except psycopg.errors.InsufficientPrivilege:
            # An autovacuum worker belongs to a superuser, so we may not end it; without FORCE the server does.
            conn.execute(statement)

    with connect(admin) as conn:
        undisturbed(drop)


def furnish(conn: Connection, name: str, like: Database) -> None:
    """Give the database its own settings, rights and comment."""
    database = sql.Identifier(name)
    for role, setting in like.settings:
        _set(conn, database, role, *setting.split("=", 1))
    if like.grants is not None:
        conn.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    for grant in like.grants or ():
        statement = sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
            sql.SQL(_PRIVILEGES[grant.privilege]),
            database,
            sql.Identifier(grant.role) if grant.role else sql.SQL("PUBLIC"),
            sql.SQL(" WITH GRANT OPTION" if grant.grantable else ""),
        )
        conn.execute(statement)
    if like.comment is not None:
        conn.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(like.comment)))


def _set(conn: Connection, database: sql.Identifier, role: str, parameter: str, value: str) -> None:
    whose = sql.SQL("ALTER DATABASE {}").format(database)
    if role:
        whose = sql.SQL("ALTER ROLE {} IN DATABASE {}").format(sql.Identifier(role), database)
    named = sql.Identifier(*parameter.split("."))
    if parameter not in _LISTS:
        conn.execute(sql.SQL("{} SET {} TO {}").format(whose, named, sql.Literal(value)))
        return
    with conn.transaction():  # as one literal, the list would become one name
        conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", [parameter, value])
        conn.execute(sql.SQL("{} SET {} FROM CURRENT").format(whose, named))


def _statement(conn: Connection, name: str, like: Database) -> sql.Composed:
    major = conn.info.server_version // 10000
    words = [sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))]
    options: dict[LiteralString, str] = {"ENCODING": like.encoding, "LC_COLLATE": like.collate, "LC_CTYPE": like.ctype}
    if like.provider != "libc" or major >= 15:
        options["LOCALE_PROVIDER"] = like.provider
    if like.locale is not None:
        options["ICU_LOCALE" if like.provider == "icu" else "BUILTIN_LOCALE"] = like.locale
    words += [sql.SQL("{} {}").format(sql.SQL(key), sql.Literal(value)) for key, value in options.items()]
    words.append(sql.SQL("OWNER {}").format(sql.Identifier(like.owner)))
    return sql.SQL(" ").join(words)
