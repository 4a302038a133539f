"""Two servers, one of them the primary, and which of them that is changes."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from flavours import BOTH
from patience import until

from esteio.postgres import Connection, Database, DatabaseUnavailable, Dsn, FailedOver, Role
from esteio.testing import FlakyProxy, recorded_events
from esteio.testing.load import Load
from esteio.testing.postgres import PostgresServer

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]

Pair = tuple[PostgresServer, PostgresServer]


@contextmanager
def primary_and_standby() -> Iterator[Pair]:
    """Two servers, of which the second replicates the first."""
    primary = PostgresServer()
    standby = None
    try:
        primary.start()
        with psycopg.connect(primary.dsn().conninfo, autocommit=True) as conn:
            conn.execute("CREATE TABLE written (id int PRIMARY KEY, port int)")
        standby = primary.standby()
        yield primary, standby
    finally:
        primary.stop()
        if standby is not None:
            standby.stop()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A primary and its standby, to be broken."""
    with primary_and_standby() as pair:
        yield pair


@pytest.fixture(scope="module")
def lasting() -> Iterator[Pair]:
    """A primary and its standby that stay what they are."""
    with primary_and_standby() as pair:
        yield pair


@pytest.fixture
async def database(pair: Pair) -> AsyncIterator[Database]:
    async with Database(url(*pair), min_size=4) as database:
        await until(lambda: database.stats().idle == 4 and any(one.usable for one in database.replicas()))
        yield database


def url(*servers: PostgresServer) -> Dsn:
    """The address of all `servers` together."""
    return servers[0].dsn().with_(hosts=tuple(host for server in servers for host in server.dsn().hosts))


def address(server: PostgresServer) -> str:
    (host, port), *_ = server.dsn().hosts
    return f"{host}:{port}"


async def where(conn: Any) -> str:
    assert conn.host is not None
    return conn.host.address


async def write(database: Any, number: int) -> str:
    async def insert(conn: Connection) -> str:
        await conn.execute("INSERT INTO written VALUES (%s, 0)", [number])
        return await where(conn)

    return await database.run(insert)


def count(server: PostgresServer) -> int:
    with psycopg.connect(server.dsn().conninfo) as conn:
        (number,) = conn.execute("SELECT count(*) FROM written").fetchone() or (0,)
        return int(number)


def caught_up(primary: PostgresServer, standby: PostgresServer) -> None:
    """Return when the standby has replayed what the primary has written."""
    with psycopg.connect(primary.dsn().conninfo) as conn:
        (position,) = conn.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or ("",)
    with psycopg.connect(standby.dsn().conninfo, autocommit=True) as conn:
        while conn.execute("SELECT pg_last_wal_replay_lsn() < %s::pg_lsn", [position]).fetchone() == (True,):
            time.sleep(0.01)


async def test_a_switchover_fails_no_request_and_the_new_primary_gets_the_writes(
    pair: Pair, database: Database
) -> None:
    old, new = pair
    numbers = itertools.count()
    went: list[str] = []

    async def read() -> None:
        await database.fetch_value("SELECT count(*) FROM written", read_only=True)

    async def write_one() -> None:
        went.append(await write(database, next(numbers)))

    def switch() -> float:
        old.set_read_only()
        caught_up(old, new)
        new.promote()
        return time.monotonic()

    with recorded_events() as events:
        async with Load(lambda number: read() if number % 5 else write_one(), 200.0) as load:
            await asyncio.sleep(0.5)
            promoted = await asyncio.to_thread(switch)
            await until(lambda: address(new) in went)
            print(f"\nwrites on the new primary {(time.monotonic() - promoted) * 1000:.0f} ms after promotion")
            assert time.monotonic() - promoted < 5.0
            await asyncio.sleep(0.5)
    print(f"{len(load.answers)} requests, {len(load.failures)} failed, slowest {load.slowest:.2f} s")
    assert load.failures == []
    assert count(new) == len(went)
    assert [(event.before, event.now) for event in events if isinstance(event, FailedOver)] == [
        (address(old), address(new))
    ]
    assert await database.fetch_value("SELECT 1") == 1, "the old primary still answers, and nobody asks it"
    with psycopg.connect(old.dsn().conninfo) as conn:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'esteio main%%' AND state <> 'idle'"
        assert conn.execute(query).fetchone() == (0,)


@pytest.mark.untimed
async def test_a_demoted_primary_that_nobody_asks_loses_its_idle_connections(pair: Pair, database: Database) -> None:
    old, new = pair
    await asyncio.to_thread(old.set_read_only)
    await asyncio.to_thread(new.promote)
    await until(lambda: [host.role for host in database.hosts()] == [Role.READ_ONLY, Role.PRIMARY])
    assert await write(database, 1) == address(new)


@pytest.mark.untimed
async def test_a_primary_that_does_not_know_of_the_promotion_is_left_all_the_same(
    pair: Pair, database: Database
) -> None:
    old, new = pair
    with recorded_events() as events:  # before the promotion, which is noticed while it is still under way
        await asyncio.to_thread(new.promote)  # and the old one goes on as before
        await until(lambda: any(isinstance(event, FailedOver) for event in events))
    assert await write(database, 1) == address(new)
    assert count(old) == 0


@pytest.mark.untimed
async def test_when_the_primary_dies_writes_wait_for_the_standby_to_be_promoted(pair: Pair, database: Database) -> None:
    old, new = pair
    await write(database, 1)
    await asyncio.to_thread(caught_up, old, new)
    old.kill()
    waiting = [asyncio.create_task(write(database, number)) for number in range(2, 12)]
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in waiting)
    assert await database.run(where, read_only=True) == address(new), "reads go on at the replica"
    await asyncio.to_thread(new.promote)
    assert await asyncio.gather(*waiting) == [address(new)] * 10
    assert count(new) == 11


@pytest.mark.untimed
async def test_an_old_primary_that_comes_back_as_a_standby_is_read_from(pair: Pair, database: Database) -> None:
    old, new = pair
    await asyncio.to_thread(old.embedded.stop)
    await asyncio.to_thread(new.promote)
    assert await write(database, 1) == address(new)
    await asyncio.to_thread(old.follow, new)
    await until(lambda: [one.address for one in database.replicas() if one.usable] == [address(old)], 20.0)
    assert await database.run(where, read_only=True) == address(old)


@pytest.mark.untimed
@BOTH
async def test_reads_of_a_session_see_its_writes_and_go_to_replicas_that_have_them(lasting: Pair, flavour: Any) -> None:
    old, new = lasting
    async with flavour(url(*lasting), min_size=2) as database:
        await database.execute("DELETE FROM written")
        await until(lambda: any(one.usable for one in database.replicas()))
        await read_your_writes(database, old, new)


async def read_your_writes(database: Any, old: PostgresServer, new: PostgresServer) -> None:
    with psycopg.connect(new.dsn().conninfo, autocommit=True) as conn:
        conn.execute("SELECT pg_wal_replay_pause()")
        assert await database.run(where, read_only=True) == address(new)
        with database.session() as session:
            await write(database, 1)
            token = session.token
            assert token is not None
            assert await database.run(where, read_only=True) == address(old)
            assert await database.fetch_value("SELECT count(*) FROM written", read_only=True) == 1
        with database.session(token):
            assert await database.fetch_value("SELECT count(*) FROM written", read_only=True) == 1, "in another request"
        with database.session() as session:
            await database.execute("INSERT INTO written VALUES (2, 0)")
            assert await database.fetch_value("SELECT count(*) FROM written", read_only=True) == 2
            async with database.connection() as own:
                await own.execute("INSERT INTO written VALUES (3, 0)")
            assert await database.fetch_value("SELECT count(*) FROM written", read_only=True) == 3
        conn.execute("SELECT pg_wal_replay_resume()")
    with database.session(token):
        for _ in range(500):
            if await database.run(where, read_only=True) == address(new):
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("the replica has caught up and is not used")
        assert await database.fetch_value("SELECT count(*) FROM written WHERE id = 1", read_only=True) == 1


@BOTH
async def test_a_replica_that_is_too_far_behind_is_not_used(lasting: Pair, flavour: Any) -> None:
    old, new = lasting
    async with flavour(url(*lasting), max_lag=2.0) as database:
        await database.execute("DELETE FROM written")
        await until(lambda: any(one.usable for one in database.replicas()))
        with psycopg.connect(new.dsn().conninfo, autocommit=True) as conn:
            conn.execute("SELECT pg_wal_replay_pause()")
            await write(database, 11)
            await until(lambda: not any(one.usable for one in database.replicas()))
            assert await database.run(where, read_only=True) == address(old)
            conn.execute("SELECT pg_wal_replay_resume()")
        await until(lambda: any(one.usable for one in database.replicas()))


@pytest.mark.untimed
async def test_reads_fall_back_to_the_primary_when_the_replica_dies(pair: Pair, database: Database) -> None:
    old, new = pair

    async def read() -> None:
        await database.fetch_value("SELECT 1", read_only=True)

    async with Load(lambda _: read(), 100.0) as load:
        await asyncio.sleep(0.3)
        new.kill()
        await asyncio.sleep(1.0)
    assert load.failures == []
    assert await database.run(where, read_only=True) == address(old)


@pytest.mark.untimed
@BOTH
async def test_while_no_primary_can_be_had_who_may_read_old_rows_is_answered_by_a_replica(
    pair: Pair, flavour: Any
) -> None:
    old, new = pair
    async with flavour(url(*pair)) as database:

        async def asked() -> str:
            async with database.connection(even_stale=True) as conn:
                await conn.execute("SELECT count(*) FROM written")
                return await where(conn)

        await until(lambda: any(report.usable for report in database.replicas()))
        assert await asked() == address(old), "the primary, as long as there is one"
        old.kill()
        with suppress(DatabaseUnavailable):  # its connection broke under it; nobody repeats a block
            await asked()
        assert [await asked() for _ in range(3)] == [address(new)] * 3
        with pytest.raises(DatabaseUnavailable):
            async with database.connection(0.5):
                pass
        new.promote()
        assert await write(database, 1) == address(new)
        assert await asked() == address(new), "the primary again"


@BOTH
async def test_a_dead_first_server_and_a_silent_one_cost_nobody_the_timeout(lasting: Pair, flavour: Any) -> None:
    primary, standby = lasting
    (directory, port), *_ = primary.dsn().hosts
    with FlakyProxy(f"{directory}/.s.PGSQL.{port}") as silent:
        silent.freeze()
        hosts = (("127.0.0.1", 1), silent.address, *url(standby, primary).hosts)
        began = time.monotonic()
        async with flavour(primary.dsn().with_(hosts=hosts), min_size=1) as database:
            assert await database.fetch_value("SELECT NOT pg_is_in_recovery()")
            assert time.monotonic() - began < 2.5, "less than the timeout of one attempt"
            report = database.hosts()
            assert report[0].failures >= 1
            assert "refused" in (report[0].error or "")
            assert "silent" in (report[1].error or "")
            assert report[3].role is Role.PRIMARY


@pytest.mark.untimed
async def test_only_one_of_several_servers_may_be_wanted_read_only(lasting: Pair) -> None:
    old, new = lasting
    for target, expected in (("standby", new), ("prefer-standby", new), ("primary", old), ("read-only", new)):
        dsn = url(*lasting).with_(parameters=(("target_session_attrs", target),))
        async with Database(dsn, min_size=1) as database, database.connection() as conn:
            assert await where(conn) == address(expected), target
