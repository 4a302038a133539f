"""The server breaks; the service waits as briefly as it can, and says so where it cannot wait."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest

from esteio import Event, events
from esteio.postgres import Database, DatabaseLost, DatabaseRestored, DatabaseUnavailable, Dsn
from esteio.testing.postgres import PostgresServer

pytestmark = pytest.mark.fault

_LIMIT = 3.0  # seconds after the server's return; half a second is aimed at


@pytest.fixture(scope="module")
def breakable() -> Iterator[PostgresServer]:
    """A server that only these tests use."""
    server = PostgresServer()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(breakable: PostgresServer) -> PostgresServer:
    """A running server that may be broken."""
    breakable.start()
    return breakable


@pytest.fixture
async def database(postgres_database: str) -> AsyncIterator[Database]:
    async with Database(Dsn.parse(postgres_database).with_(connection_limit=5), min_size=5) as database:
        await _full(database)
        yield database


async def _full(database: Database) -> None:
    """Return when all connections of the pool are open."""
    await _until(lambda: database.stats().idle == database.stats().min_size)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - processes outside of this one have no event to wait for
            await asyncio.sleep(0.01)


async def test_connections_that_ended_while_idle_are_replaced_without_a_failure(
    database: Database, postgres_database: str
) -> None:
    with psycopg.connect(Dsn.parse(postgres_database).conninfo, autocommit=True) as admin:
        killed = admin.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert killed == (5,)
    began = time.monotonic()
    assert await asyncio.gather(*(database.fetch_value("SELECT 1") for _ in range(20))) == [1] * 20
    assert time.monotonic() - began < 1.0
    assert database.stats().lost == 5


@pytest.mark.untimed
async def test_a_connection_that_breaks_in_a_block_is_unavailable_and_the_others_are_checked_at_once(
    database: Database, postgres_database: str
) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:  # noqa: PT012 - the block is what fails
        async with database.connection() as conn:
            with psycopg.connect(Dsn.parse(postgres_database).conninfo, autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            await conn.execute("SELECT 1")
    assert (caught.value.sqlstate, caught.value.retry_after) == ("57P01", 1.0)
    assert (database.stats().idle, database.stats().in_use, database.stats().lost) == (0, 0, 5)
    assert await database.fetch_value("SELECT 1") == 1


async def test_a_killed_backend_takes_the_statements_but_not_the_service(server: PostgresServer) -> None:
    async with Database(server.dsn().with_(connection_limit=5), min_size=5) as database:
        await _full(database)
        with pytest.raises(DatabaseUnavailable):  # noqa: PT012
            async with database.transaction() as conn:
                os.kill(conn.info.backend_pid, signal.SIGKILL)  # the postmaster then restarts all
                await conn.execute("SELECT pg_sleep(5)")
        async with asyncio.timeout(_LIMIT):
            while not await _answers(database):
                pass


async def test_a_caller_gets_through_a_killed_server_and_its_restart(server: PostgresServer) -> None:
    seen: list[Event] = []
    unsubscribe = events.subscribe(seen.append)
    try:
        async with Database(server.dsn().with_(connection_limit=5), min_size=5) as database:
            await _full(database)
            assert server.embedded.pid is not None
            os.kill(server.embedded.pid, signal.SIGKILL)
            await _until(lambda: database.stats().idle == 0)
            waiting = [asyncio.create_task(_value(database)) for _ in range(10)]
            await asyncio.sleep(1.0)  # long enough for the back-off to reach its ceiling
            down = database.stats()
            assert (down.idle, down.waiting, down.connecting) == (0, 10, 1)
            assert down.connect_failures < 40, "a dead server is not to be hammered"
            await asyncio.to_thread(server.start)
            began = time.monotonic()
            assert await asyncio.gather(*waiting) == [1] * 10
            assert time.monotonic() - began < _LIMIT
            assert database.stats().down_for is None
    finally:
        unsubscribe()
    assert [type(event) for event in seen] == [DatabaseLost, DatabaseRestored]


@pytest.mark.untimed
async def test_an_idle_pool_is_whole_again_before_anybody_asks(server: PostgresServer) -> None:
    async with Database(server.dsn(), min_size=3) as database:
        await _full(database)
        await asyncio.to_thread(server.embedded.stop)
        await _until(lambda: database.stats().idle == 0)
        await asyncio.to_thread(server.start)
        await _full(database)
        assert database.stats().idle == 3


async def test_a_caller_waits_for_an_absent_server_no_longer_than_it_may() -> None:
    async with Database("postgresql:///app?host=/nonexistent&pool_timeout=0.2") as database:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match=r"not reachable .*/nonexistent.* within 0\.2 s"):
            await database.fetch_value("SELECT 1")
        assert 0.2 <= time.monotonic() - began < 1.0


async def test_opening_does_not_need_the_server_and_finds_it_when_it_appears(server: PostgresServer) -> None:
    server.embedded.stop()
    database = Database(server.dsn())
    await database.open()
    try:
        with pytest.raises(DatabaseUnavailable):
            await database.open(wait=0.1)
        with pytest.raises(DatabaseUnavailable):
            await database.ping(timeout=0.1)
        await asyncio.to_thread(server.start)
        began = time.monotonic()
        assert await database.fetch_value("SELECT 1") == 1
        assert time.monotonic() - began < _LIMIT
    finally:
        await database.close()


async def test_a_ping_ends_although_the_server_hangs(server: PostgresServer) -> None:
    async with Database(server.dsn(), min_size=1) as database:
        async with database.connection() as conn:
            backend = conn.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        try:
            began = time.monotonic()
            with pytest.raises(DatabaseUnavailable, match=r"no answer within 0\.2 s"):
                await database.ping(timeout=0.2)
            assert time.monotonic() - began < 1.0
        finally:
            os.kill(backend, signal.SIGCONT)
        assert database.stats().in_use == 0
        assert await database.fetch_value("SELECT 1") == 1


@pytest.mark.untimed
async def test_a_full_server_is_not_an_error_while_some_connections_work(server: PostgresServer) -> None:
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS few")
        admin.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 2")
    async with Database(server.dsn("postgres", "few"), min_size=1) as database:
        seen = await asyncio.gather(
            *(database.fetch_value("SELECT pg_backend_pid() FROM pg_sleep(0.05)") for _ in range(10))
        )
        assert len(set(seen)) == 2


async def _answers(database: Database) -> bool:
    try:
        return bool(await database.fetch_value("SELECT true"))
    except DatabaseUnavailable:  # while the server ends the sessions one by one
        return False


async def _value(database: Database) -> object:
    return await database.fetch_value("SELECT 1")
