"""Both pools: their loops go on, their limits are checked and can be changed, and nobody waits longer than they said."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flavours import BOTH
from patience import until
from psycopg.rows import dict_row

from esteio.policy import deadline
from esteio.postgres import ConnectionLeaked, Database, DatabaseUnavailable, Dsn
from esteio.postgres._concurrency import Signal
from esteio.postgres.sync import SyncDatabase
from esteio.testing import FlakyProxy, recorded_events
from esteio.testing.postgres import PostgresServer


@pytest.fixture
def dsn(postgres_database: str) -> Dsn:
    return Dsn.parse(postgres_database).with_(connection_limit=2)


@pytest.fixture
def proxied(dsn: Dsn) -> Iterator[tuple[Dsn, FlakyProxy]]:
    ((directory, port),) = dsn.hosts
    with FlakyProxy(f"{directory}/.s.PGSQL.{port or 5432}") as proxy:
        yield dsn.with_(hosts=(proxy.address,)), proxy


def wait_until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def fail_once(what: str) -> Callable[..., Any]:
    """A function that raises the first time."""
    calls: list[object] = []

    def fail(*_: object, **__: object) -> list[Any]:
        calls.append(what)
        if len(calls) == 1:
            raise ZeroDivisionError(what)
        return []

    fail.calls = calls  # type: ignore[attr-defined]
    return fail


# Background loops


@BOTH
async def test_a_look_that_fails_is_logged_and_the_next_one_follows(
    dsn: Dsn, caplog: pytest.LogCaptureFixture, flavour: Any
) -> None:
    async with flavour(dsn) as database:
        await database.fetch_value("SELECT 1")
        pool = database._pool
        assert pool._leaks is not None
        pool._leaks.look = fail = fail_once("no look")  # type: ignore[method-assign]
        await until(lambda: len(fail.calls) == 2)  # type: ignore[attr-defined]
    assert "the look at all connections failed; the next one follows" in caplog.text
    assert "no look" in caplog.text


@BOTH
async def test_a_connector_that_fails_on_something_of_ours_is_logged_and_follows_again(
    dsn: Dsn, caplog: pytest.LogCaptureFixture, flavour: Any
) -> None:
    database = flavour(dsn, min_size=1)
    good = database._pool._connectors._connected
    fail = fail_once("no state")

    def broken(*arguments: Any) -> None:
        fail()
        good(*arguments)

    database._pool._connectors._connected = broken  # type: ignore[method-assign]
    async with database:
        assert await database.fetch_value("SELECT 1") == 1
    assert "connecting ended by an error of ours" in caplog.text


def test_a_connector_without_a_thread_is_not_taken_for_one_at_work(
    dsn: Dsn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = threading.Thread.start
    refused: list[str] = []

    def scarce(thread: threading.Thread) -> None:
        if "connect" in thread.name and len(refused) < 2:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    with SyncDatabase(dsn) as database:
        assert database.fetch_value("SELECT 1") == 1
    assert len(refused) == 2
    assert "no thread to connect with" in caplog.text


def test_a_pool_that_gets_no_thread_for_its_looks_is_not_open(dsn: Dsn, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    database = SyncDatabase(dsn)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        with pytest.raises(RuntimeError):
            database.open()
    with pytest.raises(DatabaseUnavailable, match="is not open"):
        database.fetch_value("SELECT 1")
    with database:
        assert database.fetch_value("SELECT 1") == 1


# Who has a connection


async def test_a_connection_with_a_single_holder_is_never_taken_away(dsn: Dsn) -> None:
    async with Database(dsn, leak_after=0.01) as database:
        held = [await database._pool.acquire()]
        pids = [held[0].pid]
        looks = fail_once("")
        assert database._pool._leaks is not None
        for _ in range(3):
            database._pool._leaks.report(database._pool._leaks.look(database._pool._guarded.state.in_use()))
            await asyncio.sleep(0)
        assert await database.fetch_value("SELECT pg_backend_pid()") not in pids
        assert database.stats().in_use == 1
        assert await (await held[0].execute("SELECT pg_backend_pid()")).fetchone() == (pids[0],)
        database._pool.release(held.pop())
        assert looks


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_connection_that_a_thread_lost_is_replaced_and_reported(dsn: Dsn) -> None:
    with recorded_events() as seen, SyncDatabase(dsn.with_(connection_limit=1)) as database:

        def forget() -> int:
            return database.connection().__enter__().pid

        lost = forget()
        gc.collect()
        assert database.fetch_value("SELECT pg_backend_pid()") != lost
        wait_until(lambda: [event for event in seen if isinstance(event, ConnectionLeaked)])
        (event,) = (event for event in seen if isinstance(event, ConnectionLeaked))
        assert (event.backend_pid, event.forgotten) == (lost, True)
        assert "(forget)" in event.borrower[0]
        assert database.stats().size == 1


# The ping


@BOTH
async def test_a_ping_takes_no_longer_than_its_caller_may(proxied: tuple[Dsn, FlakyProxy], flavour: Any) -> None:
    dsn, proxy = proxied
    async with flavour(dsn.with_(connection_limit=1), ping_after=0.0) as database:
        pid = await database.fetch_value("SELECT pg_backend_pid()")
        proxy.swallow()
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match=r"had idled got no answer within 0\.1 s"):
            async with database.connection(timeout=0.1):
                pass
        assert time.monotonic() - began < 1.5, "not the two seconds that a server has for an answer"
        assert database._pool._guarded.state.generation == 0, "a caller in a hurry shows nothing of the server"
        proxy.heal()
        assert await database.fetch_value("SELECT pg_backend_pid()") in {pid, pid} or database.stats().lost


def test_a_server_that_leaves_a_thread_s_ping_unanswered_loses_all_its_connections(
    proxied: tuple[Dsn, FlakyProxy],
) -> None:
    dsn, proxy = proxied
    with SyncDatabase(dsn, min_size=2, ping_after=0.0) as database:
        wait_until(lambda: database.stats().idle == 2)
        proxy.swallow()
        healer = threading.Timer(2.5, proxy.heal)
        healer.start()
        assert database.fetch_value("SELECT 1") == 1
        healer.join()
        assert database._pool._guarded.state.generation == 1


async def test_a_task_cancelled_during_its_ping_leaves_the_connection_to_others(dsn: Dsn) -> None:
    async with Database(dsn.with_(connection_limit=1), ping_after=0.0) as database:
        pid = await database.fetch_value("SELECT pg_backend_pid()")
        for _ in range(20):
            task = asyncio.ensure_future(database._pool.acquire())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await until(lambda: database.stats().idle == 1)
        assert await database.fetch_value("SELECT pg_backend_pid()") == pid


@BOTH
async def test_a_caller_who_does_not_want_to_wait_gets_an_idle_connection_that_answers(dsn: Dsn, flavour: Any) -> None:
    async with flavour(dsn, ping_after=0.0) as database:
        await database.fetch_value("SELECT 1")
        async with database.connection(timeout=0) as conn:
            assert await (await conn.execute("SELECT 1")).fetchone() == (1,)


async def test_a_caller_whose_ping_is_ended_by_closing_is_told_so(proxied: tuple[Dsn, FlakyProxy]) -> None:
    dsn, proxy = proxied
    database = Database(dsn.with_(connection_limit=1), ping_after=0.0)
    await database.open(wait=10)
    proxy.swallow()
    caller = asyncio.ensure_future(database.fetch_value("SELECT 1"))
    await until(lambda: database.stats().in_use == 1)
    await database.close(timeout=0)
    with pytest.raises(DatabaseUnavailable, match="its pool is closed"):
        await caller
    assert database.stats().size == 0


async def test_the_measuring_of_replicas_is_not_ended_by_a_deadline_around_opening() -> None:
    hosts = (("/nonexistent", 5432), ("/nonexistent", 5433))
    seen: list[float | None] = []

    async def measure() -> None:
        seen.append(deadline.remaining())
        raise asyncio.CancelledError

    database = Database(Dsn(hosts=hosts))
    with deadline.within(1.0):
        task = asyncio.ensure_future(database._replicas._repeat(Signal(), measure))
    await asyncio.gather(task, return_exceptions=True)
    assert seen == [None]


# Limits


@pytest.mark.parametrize("kind", [Database, SyncDatabase])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_size", -1),
        ("min_size", 1.5),
        ("max_waiting", -1),
        ("ping_after", float("nan")),
        ("ping_after", -1.0),
        ("max_lifetime", 0),
        ("max_idle", float("inf")),
        ("leak_after", 0),
        ("leak_after", float("nan")),
    ],
)
def test_an_impossible_limit_is_refused_with_what_is_allowed(kind: Any, name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{name}={value!r}; allowed: "):
        kind("postgresql:///app", **{name: value})


def test_replicas_limits_are_checked_too() -> None:
    for name in ("max_lag", "max_lag_bytes"):
        with pytest.raises(ValueError, match=f"{name}=-1; allowed"):
            Database("postgresql:///app", **{name: -1})  # type: ignore[arg-type]


@BOTH
async def test_a_pool_is_resized_while_it_is_used(dsn: Dsn, flavour: Any) -> None:
    async with flavour(dsn, min_size=1) as database:
        await database.fetch_value("SELECT 1")
        database.resize(min_size=4, max_size=4)
        await until(lambda: database.stats().idle == 4)
        async with database.connection() as first, database.connection():
            database.resize(min_size=0, max_size=1)
            assert database.stats().size == 2, "idle ones end at once"
            assert (await (await first.execute("SELECT 1")).fetchone()) == (1,)
        assert database.stats().size == 1
        assert await database.fetch_value("SELECT 1") == 1
        with pytest.raises(ValueError, match="max_size=0; allowed"):
            database.resize(max_size=0)
        assert (database.stats().min_size, database.stats().max_size) == (0, 1)


@BOTH
async def test_a_connection_above_the_minimum_ends_after_it_idled_and_each_after_its_lifetime(
    dsn: Dsn, flavour: Any
) -> None:
    async with flavour(dsn, min_size=0, max_idle=1.0) as database:
        await database.fetch_value("SELECT 1")
        await until(lambda: database.stats().size == 0)
    async with flavour(dsn, min_size=1, max_lifetime=1.0) as database:
        first = await database.fetch_value("SELECT pg_backend_pid()")
        expiries = {conn.expires_at for conn in database._pool._guarded.state.idle}
        now = time.monotonic()
        assert all(expiry < now + 1.0 for expiry in expiries)
        await until(lambda: database.stats().connects == 2)
        assert await database.fetch_value("SELECT pg_backend_pid()") != first


@BOTH
async def test_rows_are_made_as_the_database_says_unless_a_call_says_otherwise(dsn: Dsn, flavour: Any) -> None:
    async with flavour(dsn, row_factory=dict_row) as database:
        assert await database.fetch_one("SELECT 1 AS n") == {"n": 1}
        assert await database.fetch_value("SELECT 1 AS n") == 1
        async with database.transaction() as conn:
            assert await (await conn.execute("SELECT 1 AS n")).fetchone() == {"n": 1}

        async def work(conn: psycopg.AsyncConnection[Any]) -> Any:
            return await (await conn.execute("SELECT 2 AS n")).fetchall()

        assert await database.run(work) == [{"n": 2}]


# Several servers


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(120)
def test_a_thread_that_wants_a_primary_is_not_led_to_one_that_a_promotion_left_behind() -> None:
    old = PostgresServer()
    new = None
    try:
        old.start()
        new = old.standby()
        new.promote()
        both = old.dsn().with_(
            hosts=old.dsn().hosts + new.dsn().hosts, parameters=(("target_session_attrs", "primary"),)
        )
        opener = SyncDatabase(both)._source
        behind, ahead = opener._fleet.hosts
        opener._attempt(ahead).drop()
        with pytest.raises(DatabaseUnavailable, match="left behind by a promotion"):
            opener._attempt(behind)
    finally:
        old.stop()
        if new is not None:
            new.stop()
