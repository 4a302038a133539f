"""Alembic's migrations under the same watch; what an `env.py` calls.

Promises: `run_online` takes the advisory lock, checks every statement of every revision through SQLAlchemy's own
events, and makes the attempt again when a table was locked. Revisions are committed one by one, or all together.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("alembic"):
    import alembic  # noqa: F401 - whether it is there

import contextlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import psycopg
from alembic import op
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, ExceptionContext, create_engine, event, pool

from esteio.clock import SYSTEM, Clock
from esteio.postgres._dsn import Dsn
from esteio.postgres.migrations._guard import Guard, blocking
from esteio.postgres.migrations._patience import KEY, only_migrator, patiently
from esteio.postgres.migrations._rules import MigrationRules
from esteio.postgres.migrations._statements import statements

__all__ = ["blocking", "execute", "run_online"]

_GUARD = "esteio guard"


def run_online(
    context: EnvironmentContext | ModuleType,
    dsn: Dsn | str,
    *,
    each: bool = True,
    key: int = KEY,
    rules: MigrationRules | None = None,
    clock: Clock = SYSTEM,
    **configure: Any,
) -> tuple[str, str]:
    """Run what Alembic was asked for on the database of `dsn`; its revision before and after ('' is none).

    `context` is Alembic's. `each` commits every revision by itself, which CREATE INDEX CONCURRENTLY (in an
    `autocommit_block`) needs; without it all of them or none. `configure` goes to Alembic's `context.configure`, such
    as `target_metadata`. With `--sql` nothing is connected to and nothing checked. Several heads are joined by commas.
    """
    address = Dsn.parse(dsn) if isinstance(dsn, str) else dsn
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=each, **configure)
        with context.begin_transaction():
            context.run_migrations()
        return "", ""
    rules = rules or MigrationRules()
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(address.conninfo, application_name="esteio migrations"),
        poolclass=pool.NullPool,
    )
    with engine.connect() as connection:
        driver = _driver(connection)
        with only_migrator(driver, key, rules, clock):
            before = _revision(connection, configure)
            patiently(lambda: _attempt(context, connection, rules, each, configure), driver, rules, clock)
            return before, _revision(connection, configure)


def execute(sql: str) -> None:
    """Run `sql` in a revision, any number of statements as PostgreSQL reads them, each under watch.

    Unlike `op.execute`, no layer looks for parameters in it, and each statement is looked at by itself.
    """
    context = op.get_context()
    if context.as_sql:
        for statement in statements(sql):
            context.impl.static_output(statement.text + ";")
        return
    connection = op.get_bind()
    guard: Guard | None = connection.info.get(_GUARD)
    if guard is not None:
        guard.execute(sql)
        return
    _driver(connection).execute(sql.encode())


def _attempt(
    context: EnvironmentContext | ModuleType,
    connection: Connection,
    rules: MigrationRules,
    each: bool,
    configure: dict[str, Any],
) -> None:
    driver = _driver(connection)
    guard = Guard(driver, rules)
    driver.commit()
    connection.info[_GUARD] = guard
    try:
        with _watched(connection, guard):
            context.configure(connection=connection, transaction_per_migration=each, **configure)
            with context.begin_transaction():
                context.run_migrations()
    finally:
        connection.rollback()
        driver.rollback()


@contextlib.contextmanager
def _watched(connection: Connection, guard: Guard) -> Iterator[None]:
    def before(_c: Connection, _cursor: Any, statement: str, _p: Any, _x: Any, _many: bool) -> None:
        guard.before(statement)

    def after(_c: Connection, _cursor: Any, statement: str, _p: Any, _x: Any, _many: bool) -> None:
        guard.after(statement)

    def failed(failure: ExceptionContext) -> None:
        if isinstance(failure.original_exception, psycopg.errors.QueryCanceled):
            guard.canceled(failure.statement or "", failure.original_exception)

    hooks: tuple[tuple[Any, str, Any], ...] = (
        (connection, "before_cursor_execute", before),
        (connection, "after_cursor_execute", after),
        (connection.engine, "handle_error", failed),
    )
    for target, name, hook in hooks:
        event.listen(target, name, hook)
    try:
        yield
    finally:
        for target, name, hook in hooks:
            event.remove(target, name, hook)


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _revision(connection: Connection, configure: dict[str, Any]) -> str:
    """The revision the database has."""
    where = {name: configure[name] for name in ("version_table", "version_table_schema") if name in configure}
    try:
        return ",".join(sorted(MigrationContext.configure(connection, opts=where).get_current_heads()))
    finally:
        connection.rollback()
