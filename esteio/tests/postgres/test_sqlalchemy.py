"""SQLAlchemy borrows from our pool, and gives back what it borrowed."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from esteio.postgres import Database, DatabaseUnavailable, Dsn, PoolExhausted, SyncDatabase
from esteio.postgres.sqlalchemy import async_engine, engine
from esteio.testing.postgres import PostgresServer


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)


_COUNT = sa.text("SELECT count(*) FROM thing")
_SLEEP = sa.text("SELECT pg_sleep(4)")


@pytest.fixture
def dsn(postgres_database: str) -> Dsn:
    return Dsn.parse(postgres_database).with_(connection_limit=2)


@pytest.fixture
async def database(dsn: Dsn) -> AsyncIterator[Database]:
    async with Database(dsn) as database:
        yield database


@pytest.fixture
async def there(database: Database) -> AsyncEngine:
    """An asyncio engine with its tables made."""
    made = async_engine(database)
    async with made.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    return made


@pytest.fixture
def threaded(dsn: Dsn) -> Iterator[SyncDatabase]:
    with SyncDatabase(dsn) as database:
        yield database


@pytest.fixture
def here(threaded: SyncDatabase) -> sa.Engine:
    """A blocking engine with its tables made."""
    made = engine(threaded)
    Base.metadata.create_all(made)
    return made


def _end_sessions(dsn: Dsn) -> None:
    with psycopg.connect(dsn.conninfo, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def _untouched(conn: Any) -> bool:
    """Whether a connection is as the pool lends it."""
    return (conn.autocommit, conn.isolation_level, conn.read_only, conn.deferrable) == (True, None, None, None)


async def test_asyncio_sessions_commit_roll_back_and_read(there: AsyncEngine, database: Database) -> None:
    sessions = async_sessionmaker(there, expire_on_commit=False)
    async with sessions.begin() as session:
        session.add_all([Thing(id=1, name="a", detail={"é": [1]}), Thing(id=2, name="b")])
    with pytest.raises(exc.IntegrityError) as caught:
        async with sessions.begin() as session:
            session.add(Thing(id=1, name="again"))
    assert isinstance(caught.value.orig, psycopg.errors.UniqueViolation)
    async with sessions() as session:
        session.add(Thing(id=3, name="never committed"))
        await session.flush()
    async with sessions() as session:
        found = (await session.scalars(sa.select(Thing).order_by(Thing.id))).all()
        assert [(thing.id, thing.detail) for thing in found] == [(1, {"é": [1]}), (2, {})]
        async with session.begin_nested():
            await session.execute(sa.update(Thing).values(name="x"))
        await session.rollback()
        streamed = await session.stream_scalars(sa.select(Thing.name).order_by(Thing.id))
        assert [name async for name in streamed] == ["a", "b"]
    assert database.stats().in_use == 0


def test_blocking_sessions_commit_roll_back_and_read(here: sa.Engine, threaded: SyncDatabase) -> None:
    with Session(here) as session, session.begin():
        session.add_all([Thing(id=1, name="a", detail={"é": [1]}), Thing(id=2, name="b")])
    with pytest.raises(exc.IntegrityError), Session(here) as session, session.begin():
        session.add(Thing(id=1, name="again"))
    with Session(here) as session:
        session.add(Thing(id=3, name="never committed"))
        session.flush()
    with Session(here) as session:
        assert session.scalars(sa.select(Thing.name).order_by(Thing.id)).all() == ["a", "b"]
        rows = session.execute(sa.select(Thing.id).execution_options(stream_results=True)).scalars()
        assert sorted(rows) == [1, 2]
    assert threaded.stats().in_use == 0


async def test_what_asyncio_borrows_comes_back_as_it_was(there: AsyncEngine, database: Database) -> None:
    options = {"isolation_level": "SERIALIZABLE", "postgresql_readonly": True, "postgresql_deferrable": True}
    async with there.connect() as conn:
        await conn.execution_options(**options)
        assert await conn.scalar(sa.text("SHOW transaction_isolation")) == "serializable"
        assert await conn.scalar(sa.text("SHOW transaction_read_only")) == "on"
    async with there.execution_options(isolation_level="AUTOCOMMIT").connect() as conn:
        await conn.execute(_COUNT)
    for _ in range(3):
        async with database.connection() as lent:
            assert _untouched(lent)
            assert lent._notice_handlers == [], "a handler was added at each checkout"
    assert database.stats().connects <= 2


def test_what_threads_borrow_comes_back_as_it_was(here: sa.Engine, threaded: SyncDatabase) -> None:
    with here.connect() as conn:
        conn.execution_options(isolation_level="SERIALIZABLE", postgresql_readonly=True)
        assert conn.scalar(sa.text("SHOW transaction_isolation")) == "serializable"
    for _ in range(3):
        with threaded.connection() as lent:
            assert _untouched(lent)
            assert lent._notice_handlers == []


async def test_an_engines_own_isolation_level_is_kept_to_it(database: Database) -> None:
    strict = async_engine(database, isolation_level="REPEATABLE READ")
    async with strict.connect() as conn:
        assert await conn.scalar(sa.text("SHOW transaction_isolation")) == "repeatable read"
    assert await database.fetch_value("SHOW transaction_isolation") == "read committed"


async def test_sqlalchemys_own_events_tell_of_borrowing(there: AsyncEngine, database: Database) -> None:
    seen: list[str] = []
    for name in ("connect", "checkout", "reset", "checkin", "close"):
        event.listen(there.sync_engine, name, lambda *_, name=name: seen.append(name))
    event.listen(there.sync_engine, "begin", lambda _: seen.append("begin"))
    event.listen(there.sync_engine, "rollback", lambda _: seen.append("rollback"))
    event.listen(there.sync_engine, "commit", lambda _: seen.append("commit"))
    before = database.stats().acquired
    async with there.begin() as conn:
        await conn.execute(_COUNT)
    async with there.connect() as conn:
        await conn.execute(_COUNT)
    assert seen == [
        *("connect", "checkout", "begin", "commit", "reset", "checkin", "close"),
        *("connect", "checkout", "begin", "rollback", "reset", "checkin", "close"),
    ]
    assert database.stats().acquired - before == 2


async def test_statements_are_prepared_on_the_server(there: AsyncEngine) -> None:
    async with there.connect() as conn:
        for _ in range(3):
            await conn.execute(sa.select(Thing).where(Thing.id == 5))
        count = await conn.scalar(
            sa.text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT thing.id,%'")
        )
    assert count == 1


async def test_waiting_in_vain_has_the_databases_words(dsn: Dsn) -> None:
    async with Database(dsn.with_(connection_limit=1, pool_timeout=0.1)) as database:
        made = async_engine(database)
        async with made.connect():
            with pytest.raises(PoolExhausted):
                await made.connect()
        async with made.connect() as conn:
            assert await conn.scalar(sa.text("SELECT 1")) == 1
    with pytest.raises(DatabaseUnavailable, match="is closed"):
        await made.connect()


@pytest.mark.fault
@pytest.mark.untimed
async def test_after_all_sessions_ended_no_checkout_fails(there: AsyncEngine, dsn: Dsn) -> None:
    _end_sessions(dsn)
    for _ in range(5):
        async with there.connect() as conn:
            assert await conn.scalar(_COUNT) == 0


@pytest.mark.fault
@pytest.mark.untimed
async def test_a_session_lost_at_work_is_a_disconnect_and_the_others_go_too(
    there: AsyncEngine, database: Database, dsn: Dsn
) -> None:
    lost: list[bool] = []
    event.listen(there.sync_engine, "handle_error", lambda context: lost.append(context.is_disconnect))
    async with there.connect() as conn, there.connect():
        await conn.execute(_COUNT)
        await asyncio.to_thread(_end_sessions, dsn)
        with pytest.raises(exc.DBAPIError) as caught:
            await conn.execute(_COUNT)
        assert caught.value.connection_invalidated
        await conn.rollback()
        assert await conn.scalar(_COUNT) == 0, "SQLAlchemy's own way to go on with another connection"
    assert lost == [True]
    assert database.stats().in_use == 0
    async with there.connect() as conn:
        assert await conn.scalar(_COUNT) == 0


@pytest.mark.fault
@pytest.mark.untimed
def test_threads_get_through_a_restart_without_a_failed_checkout() -> None:
    server = PostgresServer()
    stop = threading.Event()
    refused: list[BaseException] = []

    def work() -> int:
        done = 0
        while not stop.is_set():
            try:
                conn = made.connect()
            except Exception as error:  # noqa: BLE001 - counted
                refused.append(error)
                continue
            with suppress(exc.DBAPIError), conn:  # what was at work fails
                conn.execute(sa.text("SELECT pg_sleep(0.002)"))
                done += 1
        return done

    try:
        server.start()
        with SyncDatabase(server.dsn().with_(connection_limit=3)) as database, ThreadPoolExecutor(4) as pool:
            made = engine(database)
            workers = [pool.submit(work) for _ in range(4)]
            time.sleep(0.4)
            pid = server.embedded.pid
            assert pid is not None
            os.kill(pid, signal.SIGQUIT)
            while server.embedded.is_alive():
                time.sleep(0.01)
            server.start()
            time.sleep(0.4)
            stop.set()
            assert all(worker.result(30) > 0 for worker in workers)
            assert database.stats().in_use == 0
    finally:
        stop.set()
        server.stop()
    assert refused == []


async def test_a_cancelled_statement_is_stopped_on_the_server(there: AsyncEngine, database: Database) -> None:
    async def sleep() -> None:
        async with there.connect() as conn:
            await conn.execute(_SLEEP)

    task = asyncio.create_task(sleep())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert database.stats().in_use == 0
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(4)%' AND pid <> pg_backend_pid()"
    assert await database.fetch_value(running + " AND state = 'active'") == 0


async def test_a_forgotten_connection_is_taken_back_by_the_collector(there: AsyncEngine, database: Database) -> None:
    session = AsyncSession(there)
    await session.execute(_COUNT)
    assert database.stats().in_use == 1
    with pytest.warns(exc.SAWarning, match="non-checked-in connection"):  # noqa: PT031 - either may be what warns
        del session
        gc.collect()
    assert database.stats().in_use == 0
    async with there.connect() as conn:
        assert await conn.scalar(_COUNT) == 0


def test_a_forgotten_connection_of_a_thread_is_taken_back(here: sa.Engine, threaded: SyncDatabase) -> None:
    conn = here.connect()
    conn.execute(_COUNT)
    del conn
    gc.collect()
    assert threaded.stats().in_use == 0


@pytest.mark.parametrize("option", ["pool_size", "poolclass", "creator", "json_serializer", "connect_args"])
def test_options_that_are_the_databases_are_refused(option: str) -> None:
    with pytest.raises(TypeError, match=f"{option}: .*; leave it out"):
        engine(SyncDatabase("postgresql:///x"), **{option: None})
