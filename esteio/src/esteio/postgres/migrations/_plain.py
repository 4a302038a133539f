"""Migrations that are SQL, in order, each taken once.

Promises: each runs in a transaction of its own, together with the record that it ran; a statement that PostgreSQL
wants outside of a transaction (CREATE INDEX CONCURRENTLY) is a migration of its own, recorded after it, and run again
when that was interrupted. What was changed after it ran is refused. Two programs that start at once: one migrates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from esteio.clock import SYSTEM, Clock
from esteio.postgres._dsn import Dsn
from esteio.postgres.migrations._errors import MigrationError
from esteio.postgres.migrations._guard import Guard, blocking
from esteio.postgres.migrations._hazards import runs_alone
from esteio.postgres.migrations._patience import KEY, only_migrator, patiently
from esteio.postgres.migrations._rules import MigrationRules
from esteio.postgres.migrations._statements import statements

__all__ = ["Migration", "migrate"]

_TABLE = """
CREATE TABLE IF NOT EXISTS esteio_migration (
    name       text PRIMARY KEY,
    digest     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """A change of the schema; `blocking` is the sentence that allows it to keep others from a big table."""

    name: str
    sql: str
    blocking: str | None = None

    @property
    def digest(self) -> str:
        """What tells whether it was changed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def alone(self) -> bool:
        """Whether it runs outside of a transaction; MigrationError when it mixes both kinds."""
        found = statements(self.sql)
        alone = any(map(runs_alone, found))
        if alone and len(found) > 1:
            msg = f"migration {self.name!r}: CONCURRENTLY and VACUUM run alone; make each a migration of its own"
            raise MigrationError(msg)
        return alone


def migrate(
    dsn: Dsn | str,
    migrations: Iterable[Migration],
    *,
    key: int = KEY,
    rules: MigrationRules | None = None,
    clock: Clock = SYSTEM,
) -> list[str]:
    """Run those of `migrations` that have not run on the database of `dsn`; their names.

    UnsafeMigration, MigrationTooLong, MigrationBlocked or MigrationInProgress, or the driver's error; earlier
    migrations of the list stay, the failed one leaves nothing.
    """
    wanted = list(migrations)
    rules = rules or MigrationRules()
    address = Dsn.parse(dsn) if isinstance(dsn, str) else dsn
    with (
        psycopg.connect(address.conninfo, autocommit=True, application_name="esteio migrations") as conn,
        only_migrator(conn, key, rules, clock),
    ):
        conn.execute(_TABLE)
        ran: dict[str, str] = dict(conn.execute("SELECT name, digest FROM esteio_migration").fetchall())
        pending = [migration for migration in wanted if not _has_run(migration, ran)]
        for migration in pending:
            patiently(partial(_apply, conn, migration, rules), conn, rules, clock)
        return [migration.name for migration in pending]


def _has_run(migration: Migration, ran: dict[str, str]) -> bool:
    if ran.get(migration.name, migration.digest) != migration.digest:
        msg = f"migration {migration.name!r} ran in another wording; restore its text and write the change as a new one"
        raise MigrationError(msg)
    return migration.name in ran


def _apply(conn: psycopg.Connection[Any], migration: Migration, rules: MigrationRules) -> None:
    guard = Guard(conn, rules)
    with blocking(migration.blocking):
        if migration.alone:
            guard.execute(migration.sql)
            _record(conn, migration)
        else:
            with conn.transaction():
                guard.execute(migration.sql)
                _record(conn, migration)


def _record(conn: psycopg.Connection[Any], migration: Migration) -> None:
    conn.execute("INSERT INTO esteio_migration (name, digest) VALUES (%s, %s)", [migration.name, migration.digest])
