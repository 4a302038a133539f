"""A database for threads counts, tells and names like asyncio's."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from inspect import signature
from typing import Any

import psycopg
import pytest

from esteio import Event, events
from esteio.postgres import ConnectionLeaked, Database, Dsn, SlowQuery, SyncDatabase, tagged

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def seen() -> Iterator[list[Event]]:
    heard: list[Event] = []
    end = events.subscribe(heard.append)
    yield heard
    end()


@pytest.fixture
def database(postgres_database: str) -> Iterator[SyncDatabase]:
    dsn = Dsn.parse(postgres_database).with_(connection_limit=4)
    with SyncDatabase(dsn, application_name="clerk w2", slow_alert=0.05, leak_after=0.2) as database:
        yield database


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_counts_are_exact_with_many_threads(database: SyncDatabase) -> None:
    def work(_: int) -> None:
        for number in range(25):
            database.fetch_value(f"SELECT {number}")
        with pytest.raises(psycopg.errors.DivisionByZero):
            database.execute("SELECT 1/0")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    found = {statement.text: (statement.times.count, statement.errors) for statement in database.statements()}
    assert found == {"SELECT ?": (200, 0), "SELECT ?/?": (8, 8)}
    stats = database.stats()
    assert stats.waits.count == stats.acquired == 208


def test_a_slow_statement_names_the_line_that_waits_for_it(database: SyncDatabase, seen: list[Event]) -> None:
    with tagged("job"):
        database.fetch_value("SELECT pg_sleep(%s)", [0.06])
    (event,) = [event for event in seen if isinstance(event, SlowQuery)]
    assert "test_sync_watch.py" in event.caller
    assert "(test_a_slow_statement_names" in event.caller
    assert (event.route, event.parameters) == ("job", "1 parameter (float)")


def test_a_pipeline_is_timed_until_its_results_are_read(database: SyncDatabase) -> None:
    with database.connection() as conn, conn.pipeline():
        first = conn.execute("SELECT %s::int", [1])
        conn.cursor().executemany("SELECT %s::int + 1", [[1], [2]])
        assert first.fetchone() == (1,)
    found = {statement.text: statement.times.count for statement in database.statements()}
    assert found == {"SELECT ?::int": 1, "SELECT ?::int + ?": 1}


def test_a_connection_that_does_not_come_back_is_told_of(database: SyncDatabase, seen: list[Event]) -> None:
    with database.connection():
        _until(lambda: any(isinstance(event, ConnectionLeaked) for event in seen))
        assert database.stats().overdue == 1
    assert (database.stats().overdue, database.stats().leaks) == (0, 1)
    (event,) = [event for event in seen if isinstance(event, ConnectionLeaked)]
    assert not event.forgotten
    assert "test_sync_watch.py" in event.borrower[0]


def test_a_connection_that_nobody_refers_to_is_closed_and_replaced(database: SyncDatabase, seen: list[Event]) -> None:
    database.core.borrow(False, None)[1].execute("SELECT 1")
    gc.collect()
    _until(lambda: database.stats().leaks == 1)
    assert database.stats().in_use == 0
    assert [event.forgotten for event in seen if isinstance(event, ConnectionLeaked)] == [True]
    assert database.fetch_value("SELECT 1") == 1


def test_a_transaction_names_its_route_to_the_server(database: SyncDatabase) -> None:
    def name(conn: Any) -> str:
        return str(conn.execute("SELECT current_setting('application_name')").fetchone()[0])

    with tagged("GET /x"):
        assert database.run(name) == "clerk w2 GET /x"
        with database.transaction() as conn:
            assert name(conn) == "clerk w2 GET /x"
    with database.connection() as conn:
        assert name(conn) == "clerk w2"


def test_both_flavours_take_the_same_parameters() -> None:
    ours = ("slow_warn", "slow_alert", "leak_after", "statements", "application_name")
    for name in ours:
        assert signature(Database).parameters[name].default == signature(SyncDatabase).parameters[name].default
