"""Slow statements are told with all that helps to find them, and without any value."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from esteio import Event, events
from esteio.postgres import Database, Dsn
from esteio.postgres._connection import Connection
from esteio.postgres._slow import SlowLog, SlowQuery, masked
from esteio.postgres._statements import Statements
from esteio.postgres._tag import application_name, current_tag, tagged
from esteio.postgres._watch import Watch


@pytest.fixture
def seen() -> Iterator[list[Event]]:
    heard: list[Event] = []
    end = events.subscribe(heard.append)
    yield heard
    end()


@pytest.fixture
async def connection(postgres_database: str) -> AsyncIterator[Connection]:
    conninfo = Dsn.parse(postgres_database).conninfo
    async with await Connection.connect(conninfo, autocommit=True, prepare_threshold=0) as conn:
        conn.watch = Watch("main", statements=Statements(), slow_warn=0.02, slow_alert=0.05)
        yield conn


def _line(mark: str) -> int:
    """The line of this file that ends in the comment `mark`."""
    lines = inspect.getsource(inspect.getmodule(_line)).splitlines()  # type: ignore[arg-type]
    return next(number for number, text in enumerate(lines, 1) if text.endswith(f"# {mark}"))


async def test_a_slow_statement_is_logged_with_its_caller_and_without_its_values(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "esteio.postgres.slow"), tagged("GET /bens"):
        await connection.execute("SELECT %s, 'top secret', pg_sleep(0.03)", ["4111-1111"])  # the caller
    (record,) = caplog.records
    text = record.getMessage()
    assert "SELECT ?, ..., pg_sleep(?)" in text
    assert "1 parameter (str)" in text
    assert f"test_slow.py:{_line('the caller')} (test_a_slow_statement" in text
    assert text.endswith("in GET /bens")
    assert "secret" not in text
    assert "4111" not in text


async def test_a_statement_that_cannot_be_counted_is_no_failed_statement(
    connection: Connection, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    assert connection.watch is not None
    monkeypatch.setattr(connection.watch.statements, "observe", broken)
    cursor = await connection.execute("SELECT 7")
    assert await cursor.fetchone() == (7,)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await connection.execute("SELECT 1/0")
    assert "could not be counted" in caplog.text


async def test_a_very_slow_statement_is_an_event(connection: Connection, seen: list[Event]) -> None:
    with tagged("outer"), tagged("GET /bens"):
        await connection.execute("SELECT pg_sleep(%(long)s)", {"long": 0.06})
    (event,) = seen
    assert isinstance(event, SlowQuery)
    assert (event.name, event.route, event.parameters) == ("main", "GET /bens", "1 parameter (long float)")
    assert event.seconds >= 0.05
    assert event.error is None
    assert "test_slow.py" in event.caller


async def test_a_fast_statement_is_counted_and_nothing_is_said(connection: Connection, seen: list[Event]) -> None:
    assert connection.watch is not None
    connection.watch = Watch("main", statements=Statements())
    for number in range(3):
        await connection.execute("SELECT %s::int", [number])
    await connection.cursor().executemany("SELECT %s::int + 1", [[1], [2]])
    await connection.execute(sql.SQL("SELECT {}").format(sql.Literal("composed")))
    await connection.execute(b"SELECT 'bytes', 1")
    counted = {statement.text: statement.times.count for statement in connection.watch.statements.snapshot()}
    assert counted == {"SELECT ?::int": 3, "SELECT ?::int + ?": 1, "SELECT ?": 1, "SELECT ?, ...": 1}
    assert seen == []


async def test_a_failed_and_a_cancelled_statement_count_too(connection: Connection, seen: list[Event]) -> None:
    assert connection.watch is not None
    with pytest.raises(psycopg.errors.DivisionByZero):
        await connection.execute("SELECT 1/length(pg_sleep(0.06)::text)")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await connection.execute("SELECT pg_sleep(9)")
    assert [event.error for event in seen if isinstance(event, SlowQuery)] == ["DivisionByZero", "CancelledError"]
    assert {s.text: s.errors for s in connection.watch.statements.snapshot()} == {
        "SELECT ?/length(pg_sleep(?)::text)": 1,
        "SELECT pg_sleep(?)": 1,
    }


async def test_statements_of_a_pipeline_are_timed_until_their_result_is_read(
    connection: Connection, seen: list[Event]
) -> None:
    assert connection.watch is not None
    async with connection.pipeline():
        fast = await connection.execute("SELECT %s::int", [1])
        slow = await connection.execute("SELECT pg_sleep(%s)", [0.06])
        assert await fast.fetchone() == (1,)
        await slow.fetchone()
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with connection.pipeline():
            await connection.execute("SELECT 1/%s::int", [0])
    found = {s.text: (s.times.count, s.errors) for s in connection.watch.statements.snapshot()}
    assert found == {"SELECT ?::int": (1, 0), "SELECT pg_sleep(?)": (1, 0), "SELECT ?/?::int": (1, 1)}
    assert "SELECT pg_sleep(?)" in [event.statement for event in seen if isinstance(event, SlowQuery)]


async def test_a_statement_that_a_task_of_its_own_asked_for_names_no_stranger(
    connection: Connection, seen: list[Event]
) -> None:
    await asyncio.create_task(connection.cursor().execute("SELECT pg_sleep(0.06)"))  # type: ignore[arg-type]
    (event,) = seen
    assert isinstance(event, SlowQuery)
    assert event.caller == "a task of its own"


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (None, "no parameters"),
        ([], "0 parameters ()"),
        ((1, "a", None), "3 parameters (int, str, NoneType)"),
        ({"id": 1}, "1 parameter (id int)"),
        (range(100), "100 parameters (" + ", ".join(["int"] * 12) + ", ...)"),
        (iter([]), "parameters of list_iterator"),
    ],
)
def test_parameters_are_told_by_number_and_type(parameters: object, text: str) -> None:
    assert masked(parameters) == text


def test_a_server_that_is_slow_altogether_does_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    log = SlowLog("main", warn=1.0, alert=None)
    for number in range(50):
        log.log_and_emit("SELECT 1", None, 2.0, number * 0.1, None)
    assert len(caplog.records) == 20
    log.log_and_emit("SELECT 1", None, 2.0, 11.0, None)
    assert caplog.records[-1].getMessage().endswith("; 30 more were not written")


@pytest.mark.parametrize("wrong", [0, -1.0, float("nan")])
def test_an_impossible_threshold_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="slow_warn"):
        SlowLog("main", wrong, None)
    with pytest.raises(ValueError, match="slow_alert"):
        SlowLog("main", None, wrong)


def test_a_threshold_of_none_never_comes() -> None:
    assert SlowLog("main", None, None).patience == float("inf")
    assert SlowLog("main", None, 3.0).patience == 3.0


async def test_a_tag_follows_its_task_and_ends_with_its_block() -> None:
    async def name() -> str:
        return current_tag()

    with tagged("a"):
        task = asyncio.create_task(name())
        with tagged("b"):
            assert current_tag() == "b"
        assert current_tag() == "a"
    assert current_tag() == ""
    assert await task == "a"


def test_an_application_name_fits_the_server() -> None:
    check: Callable[..., str] = application_name
    assert check("sispat w1") == "sispat w1"
    assert check("sispat w1", "GET /bens") == "sispat w1 GET /bens"
    assert check("sispat w1", "ç\n'" + "x" * 100) == "sispat w1 ??'" + "x" * 50


async def test_sqlalchemy_in_between_does_not_hide_the_caller(postgres_database: str, seen: list[Event]) -> None:
    from sqlalchemy import text

    from esteio.postgres.sqlalchemy import async_engine

    async with Database(postgres_database, slow_alert=0.3) as database:
        engine = async_engine(database)
        async with engine.connect() as conn:
            await conn.execute(text("SELECT pg_sleep(:long)"), {"long": 0.4})  # through SQLAlchemy
        await engine.dispose()
    (event,) = [event for event in seen if isinstance(event, SlowQuery)]
    assert f"test_slow.py:{_line('through SQLAlchemy')} (test_sqlalchemy_in_between" in event.caller
    assert event.parameters == "1 parameter (long float)"
