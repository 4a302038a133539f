"""Connections that do not come back are reported, with who took them; only what nobody refers to is replaced."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
from collections.abc import Callable, Iterator

import pytest

from esteio import Event, events
from esteio.postgres import Database, Dsn
from esteio.postgres._leaks import ConnectionLeaked, Leaks

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def seen() -> Iterator[list[ConnectionLeaked]]:
    heard: list[ConnectionLeaked] = []

    def hear(event: Event) -> None:
        if isinstance(event, ConnectionLeaked):
            heard.append(event)

    end = events.subscribe(hear)
    yield heard
    end()


def _line(mark: str) -> int:
    lines = inspect.getsource(inspect.getmodule(_line)).splitlines()  # type: ignore[arg-type]
    return next(number for number, text in enumerate(lines, 1) if text.endswith(f"# {mark}"))


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the pool looks once a second
            await asyncio.sleep(0.02)


async def test_a_connection_that_is_out_for_too_long_is_told_of_once_with_who_took_it(
    postgres_database: str, seen: list[ConnectionLeaked], caplog: pytest.LogCaptureFixture
) -> None:
    async with Database(postgres_database, leak_after=0.05) as database:
        async with database.connection() as conn:  # borrowed here
            await _until(lambda: seen)
            await asyncio.sleep(1.5)  # another look of the pool
            assert database.stats().overdue == 1
            pid = conn.info.backend_pid
        assert (database.stats().overdue, database.stats().leaks) == (0, 1)
        assert await database.fetch_value("SELECT 1") == 1
    (event,) = seen
    assert (event.name, event.backend_pid, event.forgotten) == ("main", pid, False)
    assert event.seconds > 0.05
    here = f"test_leaks.py:{_line('borrowed here')} (test_a_connection_that_is_out_for_too_long"
    assert here in event.borrower[0]
    told = [record.getMessage() for record in caplog.records if record.name == "esteio.postgres.leaks"]
    assert len(told) == 2
    assert f"the connection to backend {pid} has not come back after" in told[0]
    assert here in told[0]
    assert f"the connection to backend {pid} is back after" in told[1]


async def test_a_connection_that_nobody_refers_to_is_closed_and_replaced(
    postgres_database: str, seen: list[ConnectionLeaked]
) -> None:
    async with Database(Dsn.parse(postgres_database).with_(connection_limit=1)) as database:

        async def forget() -> None:
            block = database.connection()
            conn = await block.__aenter__()  # forgotten here
            await conn.execute("BEGIN")

        await forget()
        gc.collect()
        assert await database.fetch_value("SELECT 1") == 1  # waits for it
        assert database.stats().in_use == 0
        await _until(lambda: database.stats().leaks == 1)
    (event,) = seen
    assert event.forgotten
    assert f"test_leaks.py:{_line('forgotten here')} (forget)" in event.borrower[0]


async def test_a_connection_in_use_is_never_taken_for_forgotten(
    postgres_database: str, seen: list[ConnectionLeaked]
) -> None:
    async with Database(Dsn.parse(postgres_database).with_(connection_limit=8)) as database:

        async def hold() -> None:
            async with database.connection():
                await asyncio.sleep(1.5)

        async def work() -> None:
            for _ in range(15):
                async with database.transaction() as conn:
                    await conn.execute("SELECT pg_sleep(0.1)")

        await asyncio.gather(*(hold() for _ in range(3)), *(work() for _ in range(3)))
        assert database.stats().leaks == 0
    assert seen == []


async def test_a_connection_that_was_closed_in_a_block_goes_back_to_its_pool(postgres_database: str) -> None:
    async with Database(Dsn.parse(postgres_database).with_(connection_limit=1)) as database:
        for block in (database.connection, database.transaction):
            with pytest.raises(KeyError):  # noqa: PT012 - the block is what fails
                async with block() as conn:
                    conn.drop()  # as when a caller of a hung server is cancelled
                    raise KeyError
            assert database.stats().in_use == 0
            assert await database.fetch_value("SELECT 1") == 1


async def test_an_overdue_connection_that_was_closed_comes_back_too(postgres_database: str) -> None:
    async with Database(Dsn.parse(postgres_database).with_(connection_limit=1), leak_after=0.01) as database:
        async with database.connection() as conn:
            await _until(lambda: database.stats().overdue)
            conn.drop()
        assert (database.stats().in_use, database.stats().overdue) == (0, 0)
        assert await database.fetch_value("SELECT 1") == 1


async def test_a_connection_on_its_way_to_a_caller_is_not_overdue(postgres_database: str) -> None:
    now = 1000.0
    leaks = Leaks("main", 60.0, lambda: now)
    async with Database(postgres_database) as database:
        async with database.connection() as conn:
            pass
        assert leaks.look({conn}) == [], "it idled for long, and is asked for an answer"
        leaks.borrowed(conn)
        now += 61.0
        assert leaks.look({conn}) == [conn]
        assert leaks.look({conn}) == [], "reported once"


async def test_it_can_be_turned_off_and_an_impossible_threshold_is_refused(
    postgres_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ValueError, match="leak_after=0"):
        Database(postgres_database, leak_after=0)
    with caplog.at_level(logging.WARNING, "esteio.postgres.leaks"):
        async with Database(postgres_database, leak_after=None) as database, database.connection():
            await asyncio.sleep(1.4)
            assert database.stats().overdue == 0
    assert not caplog.records
