"""A service's view of its database, against a real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg.rows import dict_row

from esteio.postgres import (
    Database,
    DatabaseUnavailable,
    Dsn,
    PoolExhausted,
    SerializationConflict,
    StatementTimeout,
)


@pytest.fixture
async def database(postgres_database: str) -> AsyncIterator[Database]:
    async with Database(Dsn.parse(postgres_database).with_(connection_limit=3, pool_timeout=5.0)) as database:
        yield database


async def test_statements_return_values_rows_and_counts(database: Database) -> None:
    assert await database.fetch_value("SELECT 41 + %s", [1]) == 42
    assert await database.fetch_value("SELECT 1 WHERE false") is None
    assert await database.fetch_one("SELECT 1, 'a'") == (1, "a")
    assert await database.fetch_one("SELECT 1 AS n", row_factory=dict_row) == {"n": 1}
    assert await database.fetch_all("SELECT generate_series(1, 3)") == [(1,), (2,), (3,)]
    await database.execute("CREATE TABLE item (id int PRIMARY KEY)")
    assert await database.execute("INSERT INTO item SELECT generate_series(1, %(n)s)", {"n": 5}) == 5


async def test_a_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    await database.execute("CREATE TABLE item (id int PRIMARY KEY)")
    async with database.transaction() as conn:
        await conn.execute("INSERT INTO item VALUES (1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            async with conn.transaction():
                await conn.execute("INSERT INTO item VALUES (1)")
    with pytest.raises(KeyError):  # noqa: PT012 - the block is what fails
        async with database.transaction() as conn:
            await conn.execute("INSERT INTO item VALUES (2)")
            raise KeyError
    assert await database.fetch_all("SELECT id FROM item") == [(1,)]


async def test_a_cancelled_transaction_leaves_nothing_behind(database: Database) -> None:
    await database.execute("CREATE TABLE item (id int PRIMARY KEY)")
    inserted = asyncio.Event()

    async def insert_and_hang() -> None:
        async with database.transaction() as conn:
            await conn.execute("INSERT INTO item VALUES (1)")
            inserted.set()
            await conn.execute("SELECT pg_sleep(4)")

    task = asyncio.create_task(insert_and_hang())
    await inserted.wait()
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 3.0
    assert await database.fetch_value("SELECT count(*) FROM item") == 0
    assert database.stats().in_use == 0


async def test_a_pipeline_sends_statements_in_one_round_trip(database: Database) -> None:
    async with database.connection() as conn, conn.pipeline():
        cursors = [await conn.execute("SELECT %s::int", [n]) for n in range(5)]
        assert [(await cursor.fetchone()) for cursor in cursors] == [(n,) for n in range(5)]


async def test_limits_are_set_on_the_session(postgres_database: str) -> None:
    dsn = Dsn.parse(postgres_database).with_(statement_timeout=1234)
    async with Database(dsn, application_name="the app", settings={"work_mem": "3MB", "esteio.note": r"a b\c"}) as db:
        row = await db.fetch_one(
            "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
            " current_setting('idle_in_transaction_session_timeout'), current_setting('application_name'),"
            " current_setting('work_mem'), current_setting('esteio.note')"
        )
    assert row == ("1234ms", "1234ms", "30s", "the app", "3MB", r"a b\c")


async def test_a_role_can_be_taken_by_every_session(database: Database, postgres_database: str) -> None:
    await database.execute("DROP ROLE IF EXISTS test_reader")
    await database.execute("CREATE ROLE test_reader")
    async with Database(postgres_database, settings={"role": "test_reader"}) as db:
        assert await db.fetch_value("SELECT current_user") == "test_reader"
    await database.execute("DROP ROLE test_reader")


def test_an_impossible_session_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="work mem"):
        Database("postgresql://db/app", settings={"work mem": "1MB"})


async def test_a_slow_statement_is_stopped_by_the_server(postgres_database: str) -> None:
    async with Database(Dsn.parse(postgres_database).with_(statement_timeout=50)) as db:
        with pytest.raises(StatementTimeout, match="50 ms"):
            await db.execute("SELECT pg_sleep(5)")
        assert await db.fetch_value("SELECT 1") == 1


async def test_a_constraint_violation_stays_the_drivers_error(database: Database) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await database.execute("SELECT 1/0")
    with pytest.raises(psycopg.errors.UndefinedTable):
        async with database.transaction() as conn:
            await conn.execute("SELECT * FROM nowhere")


async def test_a_broken_pipeline_is_not_taken_for_a_lost_server(database: Database) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):  # noqa: PT012
        async with database.connection() as conn, conn.pipeline():
            await conn.execute("SELECT 1/0")
            await conn.execute("SELECT 1")


async def test_a_serialization_failure_says_try_again(database: Database) -> None:
    await database.execute("CREATE TABLE counter (n int)")
    await database.execute("INSERT INTO counter VALUES (0)")
    with pytest.raises(SerializationConflict) as caught:  # noqa: PT012
        async with database.transaction(isolation=psycopg.IsolationLevel.REPEATABLE_READ) as conn:
            await conn.execute("SELECT n FROM counter")
            await database.execute("UPDATE counter SET n = n + 1")
            await conn.execute("UPDATE counter SET n = n + 1")
    assert (caught.value.sqlstate, caught.value.retry_after) == ("40001", 0.0)
    assert await database.fetch_value("SELECT n FROM counter") == 1


async def test_an_exhausted_pool_answers_with_its_numbers(postgres_database: str) -> None:
    dsn = Dsn.parse(postgres_database).with_(connection_limit=1, pool_timeout=0.1)
    async with Database(dsn, max_waiting=1) as db, db.connection():
        waiting = asyncio.create_task(db.fetch_value("SELECT 1"))
        await asyncio.sleep(0)
        with pytest.raises(PoolExhausted, match="the queue is full") as full:
            await db.fetch_value("SELECT 1")
        with pytest.raises(PoolExhausted, match=r"within 0\.1 s") as late:
            await waiting
        assert (full.value.in_use, full.value.max_size, full.value.waiting, full.value.max_waiting) == (1, 1, 1, 1)
        assert (late.value.waited, late.value.retry_after) == (0.1, 1.0)
        stats = db.stats()
        assert (stats.rejected, stats.timeouts, stats.waiting, stats.in_use) == (1, 1, 0, 1)


async def test_waiting_callers_are_served_in_their_order(postgres_database: str) -> None:
    order: list[int] = []

    async def call(number: int) -> None:
        async with db.connection():
            order.append(number)
            await asyncio.sleep(0)

    async with Database(Dsn.parse(postgres_database).with_(connection_limit=1)) as db:
        await asyncio.gather(*(call(n) for n in range(20)))
    assert order == list(range(20))


async def test_a_caller_that_leaves_the_queue_takes_no_connection_with_it(postgres_database: str) -> None:
    async with Database(Dsn.parse(postgres_database).with_(connection_limit=1)) as db:
        for handed_over in (False, True):
            async with db.connection():
                waiting = asyncio.create_task(db.fetch_value("SELECT 1"))
                await asyncio.sleep(0)
                if not handed_over:
                    waiting.cancel()
            waiting.cancel()  # the connection may already be his
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert (db.stats().in_use, db.stats().waiting) == (0, 0)
            assert await db.fetch_value("SELECT 1") == 1


async def test_no_more_connections_are_opened_than_allowed(database: Database) -> None:
    seen = await asyncio.gather(
        *(database.fetch_value("SELECT pg_backend_pid() FROM pg_sleep(0.01)") for _ in range(30))
    )
    assert 1 < len(set(seen)) <= 3
    assert database.stats().size <= 3


async def test_a_connection_left_in_a_transaction_is_not_handed_out_again(database: Database) -> None:
    async with database.connection() as conn:
        await conn.execute("BEGIN")
        first = conn.info.backend_pid
    assert await database.fetch_value("SELECT pg_backend_pid()") != first


async def test_statements_are_prepared_at_once(database: Database) -> None:
    async with database.connection() as conn:
        await conn.execute("SELECT %s::int + 7", [1])
        cursor = await conn.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%+ 7'")
        assert await cursor.fetchone() == (1,)


async def test_a_ping_tells_how_long_the_server_takes(database: Database) -> None:
    began = time.monotonic()
    assert 0 < await database.ping() <= time.monotonic() - began


async def test_a_database_that_is_not_open_says_so(postgres_database: str) -> None:
    database = Database(postgres_database)
    with pytest.raises(DatabaseUnavailable, match="is not open"):
        await database.fetch_value("SELECT 1")
    await database.open(wait=5)
    await database.open()
    await database.close()
    with pytest.raises(DatabaseUnavailable, match="is closed"):
        await database.fetch_value("SELECT 1")


async def test_closing_lets_running_work_finish_and_turns_waiting_callers_away(postgres_database: str) -> None:
    database = Database(Dsn.parse(postgres_database).with_(connection_limit=1))
    await database.open(wait=5)
    working = asyncio.create_task(database.fetch_value("SELECT 5 FROM pg_sleep(0.1)"))
    waiting = asyncio.create_task(database.fetch_value("SELECT 6"))
    await asyncio.sleep(0)
    await database.close()
    assert await working == 5
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await waiting
    assert database.stats().size == 0


async def test_closing_cuts_off_work_that_does_not_end(postgres_database: str) -> None:
    database = Database(postgres_database)
    await database.open(wait=5)
    async with asyncio.TaskGroup() as group, database.connection() as conn:
        await conn.execute("SELECT 1")
        group.create_task(database.close(timeout=0.05))
        await asyncio.sleep(0.1)
        with pytest.raises(psycopg.OperationalError):
            await conn.execute("SELECT 1")
