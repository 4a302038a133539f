"""SQLAlchemy on our pool, with asyncio and with threads.

Promises: an engine made here has no pool of its own: every connection it checks out is borrowed from the database's
pool, which undoes what was changed - autocommit, isolation, settings - before anybody else gets it. Queue, limits,
stale sockets, failover and statistics are the database's; after a restart of the server no checkout fails. What
SQLAlchemy runs is not run twice: for that use `Database.run`. Waiting in vain raises the database's errors
(PoolExhausted, DatabaseUnavailable), a statement's error is SQLAlchemy's own with the driver's inside.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("sqlalchemy"):
    import psycopg
    import sqlalchemy  # noqa: F401 - whether it is there

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg, PGDialectAsync_psycopg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from esteio.postgres._attempts import classify
from esteio.postgres._connection import Connection
from esteio.postgres._database import Database
from esteio.postgres._pool import Pool
from esteio.postgres.sync import SyncConnection, SyncDatabase
from esteio.postgres.sync._pool import Pool as SyncPool

__all__ = ["async_engine", "engine"]

_OURS = {
    "async_creator": "the database opens connections",
    "creator": "the database opens connections",
    "connect_args": "the database's URL and settings say how to connect",
    "json_deserializer": "connections are shared with others; convert in the type instead",
    "json_serializer": "connections are shared with others; convert in the type instead",
    "max_overflow": "the database's URL has connection_limit",
    "native_inet_types": "connections are shared with others; convert in the type instead",
    "pool": "the database is the pool",
    "pool_pre_ping": "the database looks at its sockets",
    "pool_recycle": "the database's connections have a lifetime",
    "pool_size": "the database's URL has connection_limit",
    "pool_timeout": "the database's URL has pool_timeout",
    "poolclass": "the database is the pool",
}


def async_engine(database: Database, **options: Any) -> AsyncEngine:
    """An engine on the pool of `database`, which is opened and closed by its owner.

    `options` are those of `create_async_engine` that do not concern connections; TypeError for one that does.
    """
    lender = _Lender(database)
    made = create_async_engine("postgresql+esteio://", async_creator=lender.borrow, **_checked(options))
    dialect = made.sync_engine.dialect
    assert isinstance(dialect, AsyncDialect)
    dialect.give_back, dialect.broke = lender.give_back, lender.broke
    return made


def engine(database: SyncDatabase, **options: Any) -> Engine:
    """An engine on the pool of `database`, which is opened and closed by its owner.

    `options` are those of `create_engine` that do not concern connections; TypeError for one that does.
    """
    lender = _SyncLender(database)
    made = create_engine("postgresql+esteio://", creator=lender.borrow, **_checked(options))
    dialect = made.dialect
    assert isinstance(dialect, SyncDialect)
    dialect.give_back, dialect.broke = lender.give_back, lender.broke
    return made


class SyncDialect(PGDialect_psycopg):
    """psycopg's dialect, whose connections are borrowed."""

    supports_statement_cache = True
    give_back: Callable[[SyncConnection], None]
    broke: Callable[[SyncConnection, BaseException], None]

    @classmethod
    def get_async_dialect_cls(cls, url: Any) -> type[AsyncDialect]:  # noqa: ARG003 - SQLAlchemy's signature
        """What `create_async_engine` takes instead."""
        return AsyncDialect

    def on_connect(self) -> Callable[[Any], None] | None:
        """Nothing but the engine's isolation level: a borrowed connection must not collect handlers."""
        return _isolation(self)

    def do_close(self, dbapi_connection: Any) -> None:
        """Give it back."""
        self.give_back(dbapi_connection)

    def do_terminate(self, dbapi_connection: Any) -> None:
        """Give it back as broken."""
        dbapi_connection.drop()
        self.give_back(dbapi_connection)

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:  # noqa: ARG002
        """Whether `e` ends the connection; all others to a server that is gone are then dropped as well."""
        conn = _driver(connection)
        return isinstance(conn, SyncConnection) and _lost(e, conn, self.broke)


class AsyncDialect(PGDialectAsync_psycopg):
    """psycopg's dialect for asyncio, whose connections are borrowed."""

    supports_statement_cache = True
    has_terminate = True
    give_back: Callable[[Connection], None]
    broke: Callable[[Connection, BaseException], None]

    def on_connect(self) -> Callable[[Any], None] | None:
        """Nothing but the engine's isolation level: a borrowed connection must not collect handlers."""
        return _isolation(self)

    def do_close(self, dbapi_connection: Any) -> None:
        """Give it back."""
        self.give_back(_driver(dbapi_connection))

    def do_terminate(self, dbapi_connection: Any) -> None:
        """Give it back as broken; also from where nothing can be awaited."""
        conn: Connection = _driver(dbapi_connection)
        conn.drop()
        self.give_back(conn)

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:  # noqa: ARG002
        """Whether `e` ends the connection; all others to a server that is gone are then dropped as well."""
        conn = _driver(connection)
        return isinstance(conn, Connection) and _lost(e, conn, self.broke)


registry.register("postgresql.esteio", __name__, "SyncDialect")


class _Lender:
    """Which pool each borrowed connection has to go back to."""

    def __init__(self, database: Database) -> None:
        self._core = database.core
        self._out: dict[Connection, Pool] = {}

    async def borrow(self) -> Connection:
        pool, conn = await self._core.borrow(read_only=False, timeout=None)
        self._out[conn] = pool
        try:
            await conn.set_autocommit(False)
        except BaseException:
            conn.drop()
            self.give_back(conn)
            raise
        return conn

    def give_back(self, conn: Connection) -> None:
        self._core.wrote(None)
        self._out.pop(conn).release(conn)

    def broke(self, conn: Connection, error: BaseException) -> None:
        self._core.broke(self._out[conn], conn, error)


class _SyncLender:
    """The same for threads."""

    def __init__(self, database: SyncDatabase) -> None:
        self._core = database.core
        self._out: dict[SyncConnection, SyncPool] = {}

    def borrow(self) -> SyncConnection:
        pool, conn = self._core.borrow(read_only=False, timeout=None)
        self._out[conn] = pool
        conn.autocommit = False
        return conn

    def give_back(self, conn: SyncConnection) -> None:
        self._core.wrote(None)
        self._out.pop(conn).release(conn)

    def broke(self, conn: SyncConnection, error: BaseException) -> None:
        self._core.broke(self._out[conn], conn, error)


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    for name in options.keys() & _OURS.keys():
        msg = f"engine option {name}: {_OURS[name]}; leave it out"
        raise TypeError(msg)
    return {**options, "poolclass": NullPool, "use_native_hstore": False}


def _isolation(dialect: Any) -> Callable[[Any], None] | None:
    level = dialect.isolation_level
    return None if level is None else lambda conn: dialect.set_isolation_level(conn, level)


def _driver(connection: Any) -> Any:
    """The driver's connection behind whatever SQLAlchemy has wrapped around it."""
    return getattr(connection, "driver_connection", connection)


def _lost(error: Any, conn: Any, broke: Callable[[Any, BaseException], None]) -> bool:
    if not isinstance(error, psycopg.Error):
        return False
    if classify(error, conn.role_now()).ends_generation:
        broke(conn, error)
        return True
    return bool(conn.closed)
