"""A dump loaded into a database made for it, and compared with its manifest.

Promises: the database `name` did not exist before; when anything fails, an interrupt included, it is removed again
and nothing else was changed but roles that were missing. What comes back was compared: every count, every sample.
The schema comes first, then the rows of all archives at the same time, then indexes, constraints and triggers. Of the
content nothing is written to this machine's disk but the schema, which only this account can read and which is removed
again. What the server cannot do (an unknown collation) is refused with PostgreSQL's own reason, before anything is there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from esteio.backup._details import DetailCode
from esteio.backup._errors import RestoreRefused, VerificationFailed
from esteio.backup._files import BackupReader
from esteio.backup._manifest import Database, Part
from esteio.backup._progress import Progress, silent
from esteio.backup._session import Connection, connect, undisturbed
from esteio.backup.dump._globals import for_missing_roles
from esteio.backup.dump._introspect import compare, digest_tables
from esteio.backup.dump._left_out import LeftOut, hidden_settings, missing, roles, taken_over
from esteio.backup.dump._parallel import Counting, Halt, run_parallel
from esteio.backup.dump._take import DATA, SCHEMA, WHOLE
from esteio.backup.tools import Toolbox
from esteio.postgres import Dsn

__all__ = ["Loaded", "create_database", "drop_database", "furnish", "load", "load_archives"]

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
            raise RestoreRefused(name, DetailCode.CANNOT_CREATE(reason=reason), DetailCode.SEE_ITS_REASON()) from error
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


def load_archives(target: Dsn, reader: BackupReader, toolbox: Toolbox, progress: Progress, jobs: int) -> None:
    """Restore the archives in `reader` into the database `target`, `jobs` things at the same time.

    ToolFailed, BackupDamaged, or ManifestError when there are none.
    """
    manifest = reader.manifest
    arguments = ["--exit-on-error", "--no-password", f"--dbname={_conninfo(target)}"]
    if all(part.role != SCHEMA for part in manifest.parts):
        _stream(target, reader, toolbox, arguments, progress, [manifest.part(WHOLE)], 1)
        return
    with _unpacked(reader, manifest.part(SCHEMA)) as schema:
        toolbox.run("pg_restore", [*arguments, "--section=pre-data", schema], dsn=target)
        data = [part for part in manifest.parts if part.role == DATA]
        _stream(target, reader, toolbox, arguments, progress, data, jobs)
        progress("indexes", 0, 0, "")
        toolbox.run("pg_restore", [*arguments, "--section=post-data", f"--jobs={jobs}", schema], dsn=target)


def _stream(
    target: Dsn,
    reader: BackupReader,
    toolbox: Toolbox,
    arguments: Sequence[str],
    progress: Progress,
    parts: Sequence[Part],
    jobs: int,
) -> None:
    told = Counting(progress, "restore", sum(part.size for part in parts))

    def one(part: Part, halt: Halt) -> None:
        with toolbox.start("pg_restore", arguments, dsn=target, stdin=True) as running, halt.ends(running.ask_to_end):

            class Counted:
                def write(self, data: bytes, /) -> int:
                    told.more(len(data))
                    return running.write(data)

            reader.read(part, Counted())
            running.finish()

    largest_first = sorted(parts, key=lambda part: -part.size)
    run_parallel([partial(one, part) for part in largest_first], jobs)


@contextmanager
def _unpacked(reader: BackupReader, part: Part) -> Iterator[str]:
    """A file that can be read from any place, as pg_restore wants it for several jobs."""
    with tempfile.TemporaryDirectory(prefix="esteio-restore-") as directory:
        path = Path(directory) / SCHEMA
        with path.open("xb") as file:
            reader.read(part, file)
        yield str(path)


def _conninfo(target: Dsn) -> str:
    """The database's name alone, as pg_restore reads it; the rest goes by the environment."""
    name = (target.database or "").replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{name}'"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A database with `rows` rows; `left_out` is None where it lacks nothing."""

    rows: int
    left_out: LeftOut | None


def load(
    admin: Dsn,
    reader: BackupReader,
    name: str,
    toolbox: Toolbox,
    progress: Progress = silent,
    *,
    jobs: int = 1,
    any_collation: bool = False,
    replaces: str | None = None,
) -> Loaded:
    """Restore the dump in `reader` as the new database `name` on the server of `admin`.

    Up to `jobs` archives, then indexes, are restored at the same time. Settings that a plain backup does not hold are taken
    from the database `replaces` of that server, where it has them.

    RestoreRefused when it cannot be made, ToolFailed, BackupDamaged, or VerificationFailed when what is in it then
    is not what the manifest says.
    """
    like = reader.manifest.database
    assert like is not None, "a dump has a database"
    taken = taken_over(admin, replaces, reader.manifest) if replaces else ()
    like = replace(like, settings=(*like.settings, *hidden_settings(reader), *taken))
    present = roles(admin)
    _make_roles(admin, reader, toolbox, present)
    made: list[str] = []

    def make() -> None:
        with connect(admin) as conn:
            create_database(conn, name, like, any_collation=any_collation)
        made.append(name)

    try:
        undisturbed(make)
        load_archives(admin.with_(database=name), reader, toolbox, progress, jobs)
        rows = _compared(admin.with_(database=name), reader, like, name, progress)
        return Loaded(rows, missing(reader.manifest, roles(admin) - present, taken))
    except BaseException:
        if made:
            drop_database(admin, name)
        raise


def _make_roles(admin: Dsn, reader: BackupReader, toolbox: Toolbox, present: frozenset[str]) -> None:
    if present.issuperset(reader.manifest.roles):
        return
    statements = for_missing_roles(reader.text("globals"), present)
    script = f"BEGIN;\n{statements}COMMIT;\n".encode()
    arguments = ["--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--file=-"]
    toolbox.run("psql", arguments, dsn=admin, given=script)


def _compared(target: Dsn, reader: BackupReader, like: Database, name: str, progress: Progress) -> int:
    manifest = reader.manifest
    with connect(target) as conn:
        furnish(conn, name, like)
        if manifest.major < 18:  # from 18 on the dump brings the planner's statistics
            conn.execute("ANALYZE")
        found = digest_tables(conn, manifest.tables, lambda done, total: progress("compare", done, total, "tables"))
    if problems := compare(manifest.tables, found):
        raise VerificationFailed(manifest.id, tuple(problems))
    return sum(digest.rows for digest in found.values())
