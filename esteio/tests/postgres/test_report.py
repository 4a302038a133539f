"""The report tells what goes on in a real database, to roles with and without privileges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import FrozenInstanceError

import psycopg
import pytest

from esteio.postgres import Database, Dsn
from esteio.postgres.report import Report, report
from esteio.postgres.report._indexes import _Shape


@pytest.fixture
async def database(postgres_database: str) -> AsyncIterator[Database]:
    dsn = Dsn.parse(postgres_database).with_(connection_limit=4)
    async with Database(dsn, application_name="the app") as database:
        yield database


async def test_who_waits_and_for_whom_is_told(database: Database) -> None:
    await database.execute("CREATE TABLE item (id int PRIMARY KEY)")
    await database.execute("INSERT INTO item VALUES (1)")
    async with database.transaction() as holder:
        await holder.execute("SELECT 'secret' FROM item WHERE id = 1 FOR UPDATE")
        waiter = asyncio.create_task(database.execute("UPDATE item SET id = 2 WHERE id = 1"))
        async with asyncio.timeout(10):
            while not (seen := await report(database)).blocked:
                pass
    await waiter
    (blocked,) = seen.blocked
    (idle,) = seen.idle_in_transaction
    assert blocked.statement == "UPDATE item SET id = ? WHERE id = ?"
    assert blocked.waits_for.startswith("Lock:")
    assert (blocked.blocked_by, idle.blocks) == ((idle.pid,), (blocked.pid,))
    assert idle.statement == "SELECT ? FROM item WHERE id = ? FOR UPDATE"
    assert (idle.application, idle.user, idle.hidden) == ("the app", "postgres", False)
    assert idle in seen.long_transactions(0.0)
    assert not seen.long_transactions(3600.0)
    with pytest.raises(FrozenInstanceError):
        idle.pid = 1  # type: ignore[misc]


async def test_what_the_database_is_made_of_is_told(database: Database) -> None:
    await database.execute("CREATE TABLE big (id int PRIMARY KEY, a int, b int) WITH (autovacuum_enabled = false)")
    await database.execute("CREATE TABLE small (id int)")
    await database.execute("INSERT INTO big SELECT n, n, n FROM generate_series(1, 1000) n")
    await database.execute("DELETE FROM big WHERE id <= 250")
    await database.execute("CREATE INDEX big_a ON big (a)")
    await database.execute("CREATE INDEX big_a_b ON big (a, b)")
    await database.execute("CREATE INDEX big_b ON big (b) WHERE b > 0")
    await database.execute("CREATE UNIQUE INDEX big_b_unique ON big (b)")
    async with asyncio.timeout(30):  # a session reports what it counted when it idles
        while (await report(database)).tables[0].dead_rows < 250:
            await database.execute("SELECT pg_sleep(0.1)")
    await database.execute("ANALYZE big")
    seen = await report(database)
    big, small = seen.tables
    assert (big.schema, big.name, small.name) == ("public", "big", "small")
    assert big.bytes is not None
    assert small.bytes == 0
    assert big.bytes > (big.index_bytes or 0) > 0
    assert (big.live_rows, big.dead_rows, big.dead_share) == (750, 250, 0.25)
    assert big.last_analyze is not None
    assert small.last_analyze is None
    indexes = {index.name: index for index in seen.indexes}
    assert {name: index.redundant_with for name, index in indexes.items() if index.redundant_with} == {
        "big_a": ("big_a_b",)
    }
    assert [name for name, index in indexes.items() if index.unused] == ["big_a", "big_a_b", "big_b"]
    assert indexes["big_pkey"].enforces
    assert indexes["big_b_unique"].enforces
    assert all(index.valid for index in seen.indexes)
    assert seen.database.startswith("test_")
    assert seen.bytes > 1_000_000
    assert (seen.standby, seen.server_version.partition(".")[0], seen.hints) == (False, "18", ())
    assert 1 <= seen.connections <= seen.max_connections == 100


async def test_an_index_whose_build_failed_is_told(database: Database) -> None:
    await database.execute("CREATE TABLE item (a int)")
    await database.execute("INSERT INTO item VALUES (1), (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        await database.execute("CREATE UNIQUE INDEX CONCURRENTLY item_a ON item (a)")
    (index,) = (await report(database)).indexes
    assert (index.name, index.valid, index.unused) == ("item_a", False, False)


async def test_a_table_that_is_being_rewritten_is_not_waited_for(database: Database) -> None:
    await database.execute("CREATE TABLE item (a int)")
    async with database.transaction() as conn:
        await conn.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(2.5):  # the server's lock_timeout is 3 s
            seen = await report(database)
    assert seen.tables[0].bytes is None
    assert seen.hints == ("the size of a table that is being rewritten is not known",)


async def test_a_role_without_privileges_sees_what_it_may_and_what_it_lacks(
    database: Database, postgres_database: str
) -> None:
    await database.execute("DROP ROLE IF EXISTS test_onlooker")
    await database.execute("CREATE ROLE test_onlooker")
    try:
        async with Database(postgres_database, settings={"role": "test_onlooker"}) as onlooker:
            async with database.transaction() as conn:
                await conn.execute("SELECT 1")
                seen: Report = await report(onlooker)
            assert {session.user for session in seen.sessions if session.hidden} == {"postgres"}
            assert all(session.statement == "" for session in seen.sessions if session.hidden)
            assert 'GRANT pg_read_all_stats TO "test_onlooker"' in seen.hints[0]
            await database.execute('GRANT pg_read_all_stats TO "test_onlooker"')
            assert not any(session.hidden for session in (await report(onlooker)).sessions)
    finally:
        await database.execute("DROP ROLE test_onlooker")


def _shape(*columns: int, method: str = "btree", special: str = "", included: tuple[int, ...] = ()) -> _Shape:
    return _Shape(method, tuple((column, 1, 0, 0) for column in columns), included, special)


def test_an_index_is_answered_by_one_that_begins_like_it() -> None:
    assert _shape(1).is_answered_by(_shape(1, 2))
    assert _shape(1, 2).is_answered_by(_shape(1, 2))
    assert _shape(1, included=(2,)).is_answered_by(_shape(1, 2))
    assert not _shape(1, 2).is_answered_by(_shape(1))
    assert not _shape(2).is_answered_by(_shape(1, 2))
    assert not _shape(1, included=(3,)).is_answered_by(_shape(1, 2))
    assert not _shape(1, special="x > 0").is_answered_by(_shape(1, 2, special="x > 0"))
    assert not _shape(1).is_answered_by(_shape(1, special="x > 0"))
    assert not _shape(1, method="hash").is_answered_by(_shape(1))
    assert not _shape(1, method="gin").is_answered_by(_shape(1, 2, method="gin"))
