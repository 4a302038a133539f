"""The schema's version: what this code needs, what a database has, and the way from one to the other.

Promises: `migrate` takes every pending migration, each in a transaction of its own, under an advisory lock, watched by
`esteio.postgres.migrations`: it does not make a running service queue behind it, nor block a big table unsaid. Two
instances that start at once: one migrates, the other waits and finds nothing left to do. A migration that fails
leaves the database at the version before it and raises `MigrationFailed`.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

import psycopg

from esteio.postgres import Database, Dsn
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _

__all__ = ["MigrationFailed", "expected_version", "is_current", "migrate", "pending_sql", "sql_between"]

MIGRATIONS = Path(__file__).parent.parent / "migrations"
LOCK = 0x515_9A7  # advisory lock key of this service's migrations
_ONE_AT_A_TIME = threading.Lock()  # Alembic's context is one for the whole process


class MigrationFailed(SispatError):
    """A migration raised and was rolled back; the database, which was at `de`, is at `reached`."""

    code = "migracao-falhou"

    def __init__(self, de: str, reached: str, cause: Exception) -> None:
        self.de, self.reached, self.cause = de, reached, cause
        super().__init__(
            _(
                "A migração do banco a partir da versão %(version)s parou na versão %(reached)s: a seguinte falhou e foi "
                "desfeita. Causa: %(cause)s",
                version=de or _("vazia"),
                reached=reached or _("vazia"),
                cause=str(cause).strip(),
            )
        )


@cache
def expected_version() -> str:
    """The newest revision this code knows, from the file names: no import of Alembic needed."""
    return max(file.name.split("_", 1)[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


async def is_current(db: Database) -> bool:
    """Whether the database has the schema this code needs (a newer one counts: it was rolled forward)."""
    exists = await db.fetch_value("select to_regclass('alembic_version') is not null")
    if not exists:
        return False
    version = await db.fetch_value("select coalesce(max(version_num), '') from alembic_version")
    return str(version) >= expected_version()


def migrate(dsn: Dsn, migrations: Path = MIGRATIONS) -> tuple[str, str]:
    """Bring the database of `dsn` up to date; returns the versions before and after ('' = empty).

    Raises `MigrationFailed`, or psycopg's `OperationalError` when the server cannot be reached.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("path_separator", "os")
    config.attributes.update(dsn=dsn, key=LOCK)
    with psycopg.connect(dsn.conninfo) as probe:  # an unreachable server is not a failed migration
        de = _version(probe)
    try:
        with _ONE_AT_A_TIME:
            command.upgrade(config, "head")
    except Exception as cause:
        with psycopg.connect(dsn.conninfo) as probe:
            raise MigrationFailed(de, _version(probe), cause) from cause
    versions: tuple[str, str] = config.attributes["versions"]
    return versions


def pending_sql(dsn: Dsn, migrations: Path = MIGRATIONS) -> tuple[str, str]:
    """The version of the database of `dsn`, and the SQL of what is pending on it ('' = nothing); nothing is run."""
    with psycopg.connect(dsn.conninfo) as conn:
        version = _version(conn)
    newest = max(file.name.split("_", 1)[0] for file in (migrations / "versions").glob("[0-9]*_*.py"))
    return version, "" if version >= newest else sql_between(version, newest, migrations)


def sql_between(version: str, newest: str, migrations: Path = MIGRATIONS) -> str:
    """What the migrations after `version` up to `newest` are, as SQL."""
    import io

    from alembic import command
    from alembic.config import Config

    text = io.StringIO()
    config = Config(output_buffer=text)
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("path_separator", "os")
    config.attributes.update(dsn=Dsn(), key=LOCK)
    with _ONE_AT_A_TIME:
        command.upgrade(config, f"{version or 'base'}:{newest}", sql=True)
    return text.getvalue()


def _version(conn: psycopg.Connection[tuple[object, ...]]) -> str:
    exists = conn.execute("select to_regclass('alembic_version')").fetchone()
    if exists is None or exists[0] is None:
        return ""
    row = conn.execute("select coalesce(max(version_num), '') from alembic_version").fetchone()
    return "" if row is None else str(row[0])
