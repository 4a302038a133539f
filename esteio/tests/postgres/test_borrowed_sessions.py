"""What a borrower leaves behind is undone before the next one gets the connection; nothing costs no round trip."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from flavours import BOTH, plain
from hypothesis import given
from hypothesis import strategies as st
from patience import until
from psycopg import AsyncClientCursor, ClientCursor, IsolationLevel
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from esteio.policy import deadline
from esteio.postgres import Connection, Database, Dsn
from esteio.postgres._restore import changes_session
from esteio.postgres.sync import SyncConnection
from esteio.testing import ManualClock

# What is executed, and a question whose answer has to be what it was before.
LEFT: dict[str, tuple[str, str]] = {
    "role": ("SET ROLE pg_monitor", "SELECT current_user"),
    "session authorization": ("SET SESSION AUTHORIZATION pg_monitor", "SELECT session_user"),
    "search_path": ("SET search_path = nowhere", "SHOW search_path"),
    "a setting behind a comment": ("/* first */ -- second\n SET statement_timeout = 0", "SHOW statement_timeout"),
    "a setting as the second statement": ("SELECT 1; SET lock_timeout = 0", "SHOW lock_timeout"),
    "set_config": ("SELECT set_config('work_mem', '64kB', false)", "SHOW work_mem"),
    "isolation": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SHOW transaction_isolation",
    ),
    "read only": ("SET default_transaction_read_only = on", "SHOW transaction_read_only"),
    "a temporary table": ("CREATE TEMP TABLE left_behind (id int)", "SELECT to_regclass('left_behind')"),
    "a table in pg_temp": ("CREATE TABLE pg_temp.left_behind (id int)", "SELECT to_regclass('left_behind')"),
    "an advisory lock": ("SELECT pg_advisory_lock(77)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
    "listening": ("LISTEN news", "SELECT count(*) FROM pg_listening_channels()"),
    "a prepared statement": ("PREPARE plan AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE from_sql"),
    "what a block does": (
        "DO $$ BEGIN PERFORM set_config('work_mem', '64kB', false); END $$",
        "SHOW work_mem",
    ),
    "a cursor WITH HOLD": (
        "BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT 1; COMMIT",
        "SELECT count(*) FROM pg_cursors WHERE name = 'held'",
    ),
    "what a function does, where the server reports it": ("SELECT hides_a_setting()", "SHOW timezone"),
}
HIDES = """CREATE FUNCTION hides_a_setting() RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN PERFORM set_config('timezone', 'Asia/Tokyo', false); END $$"""


@pytest.fixture
def dsn(postgres_database: str) -> Dsn:
    with psycopg.connect(postgres_database, autocommit=True) as conn:
        conn.execute("CREATE TABLE entry (id int)")
        conn.execute(HIDES)
    return Dsn.parse(postgres_database).with_(connection_limit=1)


@pytest.fixture
async def database(dsn: Dsn) -> AsyncIterator[Database]:
    async with Database(dsn) as database:
        yield database


@pytest.fixture
async def either(dsn: Dsn, flavour: Any) -> AsyncIterator[Any]:
    async with flavour(dsn) as database:
        yield database


def _resets(database: Any) -> int:
    return sum(s.times.count for s in database.statements() if s.text.upper().startswith("CLOSE ALL"))


@BOTH
async def test_the_next_borrower_finds_the_session_as_it_was(either: Any) -> None:
    pid = await either.fetch_value("SELECT pg_backend_pid()")
    for number, (name, (leave, ask)) in enumerate(LEFT.items(), 1):
        before = await either.fetch_value(ask)
        async with either.connection() as conn:
            await conn.execute(leave, prepare=False)
        assert await either.fetch_value(ask) == before, name
        assert _resets(either) == number, name
    assert await either.fetch_value("SELECT pg_backend_pid()") == pid, "it is reset, not replaced"
    assert either.stats().lost == 0


@BOTH
async def test_a_borrower_that_turned_autocommit_off_does_not_lose_the_writes_of_the_next(either: Any) -> None:
    async with either.connection() as conn:
        await conn.set_autocommit(False)
    assert await either.execute("INSERT INTO entry VALUES (1)") == 1
    async with Database(either.dsn) as other:
        assert await other.fetch_value("SELECT count(*) FROM entry") == 1
    assert _resets(either) == 0, "the driver's own state needs no round trip"


def _driver_state(conn: psycopg.BaseConnection[Any]) -> tuple[object, ...]:
    return (
        conn.autocommit,
        conn.isolation_level,
        conn.read_only,
        conn.deferrable,
        conn.row_factory,  # type: ignore[attr-defined]
        conn.cursor_factory,  # type: ignore[attr-defined]
        conn.prepare_threshold,
        conn.prepared_max,
    )


@BOTH
async def test_the_drivers_own_state_is_put_back(either: Any) -> None:
    async with either.connection() as conn:
        before = _driver_state(conn)
        await conn.set_isolation_level(IsolationLevel.SERIALIZABLE)
        await conn.set_read_only(True)
        await conn.set_deferrable(True)
        conn.row_factory = dict_row
        conn.cursor_factory = ClientCursor if isinstance(plain(conn), SyncConnection) else AsyncClientCursor
        conn.prepare_threshold, conn.prepared_max = None, 3
        set_json_loads(lambda _: "mine", plain(conn))
        conn.add_notify_handler(print)
        conn.add_notice_handler(print)
    async with either.connection() as conn:
        assert _driver_state(conn) == before
        assert await (await conn.execute("""SELECT '{"a": 1}'::json""")).fetchone() == ({"a": 1},)
        assert not conn._notify_handlers
        assert not conn._notice_handlers
    assert _resets(either) == 0


async def test_ordinary_work_costs_no_reset(database: Database) -> None:
    async with database.connection() as conn:
        await conn.execute("SELECT 1")
        await conn.cursor().executemany("INSERT INTO entry VALUES (%s)", [[n] for n in range(3)])
        async with conn.cursor().copy("COPY entry FROM STDIN") as copy:
            await copy.write_row([4])
        async for _ in conn.cursor().stream("SELECT * FROM entry"):
            pass
        async with conn.transaction(), conn.cursor("on_the_server") as cursor:
            await cursor.execute("SELECT * FROM entry")
        async with conn.pipeline():
            await conn.execute("UPDATE entry SET id = 1")
        async with conn.transaction():
            await conn.execute("SET LOCAL statement_timeout = 1000")
            await conn.execute("SELECT set_config('work_mem', %s, true), pg_advisory_xact_lock(1)", ["1MB"])
    async with database.transaction() as conn:
        await conn.execute("SELECT 1")
    assert await database.run(lambda conn: conn.execute("SELECT 1"))
    assert _resets(database) == 0


@pytest.mark.parametrize("way", ["pipeline", "stream", "copy", "executemany", "composed", "server cursor"])
async def test_no_way_through_the_driver_goes_unseen(database: Database, way: str) -> None:
    before = await database.fetch_value("SHOW work_mem")
    sql = "SELECT set_config('work_mem', '64kB', false)"
    async with database.connection() as conn:
        match way:
            case "pipeline":
                async with conn.pipeline():
                    await conn.execute(sql)
            case "stream":
                async for _ in conn.cursor().stream(sql):
                    pass
            case "copy":
                async with conn.cursor().copy(f"COPY ({sql}) TO STDOUT") as copy:
                    async for _ in copy:
                        pass
            case "executemany":
                await conn.cursor().executemany("SELECT set_config('work_mem', %s, false)", [["64kB"], ["128kB"]])
            case "server cursor":
                async with conn.transaction(), conn.cursor("on_the_server") as cursor:
                    await cursor.execute(sql)
                    await cursor.fetchone()
            case _:
                await conn.execute(psycopg.sql.SQL("SET {} = '64kB'").format(psycopg.sql.Identifier("work_mem")))
    assert await database.fetch_value("SHOW work_mem") == before


async def test_cursors_of_another_kind_and_commands_past_the_cursors_are_followed_by_a_reset(
    database: Database,
) -> None:
    async with database.connection() as conn:
        await AsyncClientCursor(conn).execute("SELECT 1")
    await database.fetch_value("SELECT 1")
    assert _resets(database) == 1, "what another cursor sent is not known"
    async with database.connection() as conn:
        conn.pgconn.exec_(b"SET work_mem = '64kB'")
        conn.altered = True
    assert await database.fetch_value("SHOW work_mem") != "64kB"


@BOTH
async def test_a_transaction_left_open_is_undone_and_said(either: Any, caplog: pytest.LogCaptureFixture) -> None:
    async with either.connection() as conn:
        await conn.set_autocommit(False)
        await conn.execute("INSERT INTO entry VALUES (1)")
    assert await either.fetch_value("SELECT count(*) FROM entry") == 0
    assert "came back in the middle of a transaction" in caplog.text


async def test_a_session_that_cannot_be_reset_is_replaced(dsn: Dsn, caplog: pytest.LogCaptureFixture) -> None:
    configured: set[int] = set()

    async def configure(conn: Connection) -> None:
        assert conn.pid not in configured, "only once each"
        configured.add(conn.pid)

    async with Database(dsn, configure=configure) as database:
        pid = await database.fetch_value("SELECT pg_backend_pid()")
        async with database.connection() as conn:
            await conn.execute("SET work_mem = '64kB'")
        assert await database.fetch_value("SELECT pg_backend_pid()") != pid
        assert "could not be reset and is replaced: only once each" in caplog.text


async def test_our_own_settings_survive_a_reset(dsn: Dsn) -> None:
    settings = {"role": "pg_monitor", "work_mem": "1MB"}
    async with Database(dsn.with_(statement_timeout=1234), settings=settings) as database:
        async with database.connection() as conn:
            await conn.execute("RESET ROLE")
            await conn.execute("SET statement_timeout = 0")
            await conn.execute("SET work_mem = '64kB'")
        asked = "SELECT current_user, current_setting('statement_timeout'), current_setting('work_mem')"
        assert await database.fetch_one(asked) == ("pg_monitor", "1234ms", "1MB")


# The hooks


@BOTH
async def test_configure_prepares_each_connection_and_again_after_a_reset(dsn: Dsn, flavour: Any) -> None:
    configured = []

    async def configure(conn: Any) -> None:
        configured.append(conn)
        await conn.execute("SET work_mem = '2MB'")
        set_json_loads(lambda _: "ours", plain(conn))

    async with flavour(dsn, min_size=1, configure=configure) as database:
        assert await database.fetch_value("SHOW work_mem") == "2MB"
        async with database.connection() as conn:
            await conn.execute("SET work_mem = '64kB'")
            set_json_loads(lambda _: "mine", plain(conn))
        assert await database.fetch_value("SHOW work_mem") == "2MB"
        assert await database.fetch_value("SELECT '1'::json") == "ours"
        assert len(configured) == 2
        assert _resets(database) == 1


@BOTH
async def test_what_reset_changes_is_undone_by_configure(dsn: Dsn, flavour: Any) -> None:
    called = []

    async def configure(conn: Any) -> None:
        called.append("configure")
        await conn.execute("SET work_mem = '2MB'")

    async def reset(conn: Any) -> None:
        called.append("reset")
        await conn.execute("SET work_mem = '3MB'")

    async with flavour(dsn, min_size=1, configure=configure, reset=reset) as database:
        assert await database.fetch_value("SHOW work_mem") == "2MB"
        await until(lambda: called == ["configure", "reset", "configure"])
        assert await database.fetch_value("SHOW work_mem") == "2MB"


async def test_reset_is_called_with_each_connection_that_comes_back_and_one_it_fails_on_is_replaced(
    dsn: Dsn, caplog: pytest.LogCaptureFixture
) -> None:
    seen = []

    async def reset(conn: Connection) -> None:
        seen.append(conn.pid)
        if len(seen) == 2:
            raise KeyError("mine")

    async with Database(dsn, min_size=1, reset=reset) as database:
        for _ in range(3):
            assert await database.fetch_value("SELECT 1") == 1
        await database.fetch_value("SELECT 1")
    assert len(set(seen)) == 2
    assert "mine" in caplog.text


async def test_a_configure_that_fails_is_what_callers_are_told(dsn: Dsn) -> None:
    async def configure(conn: Connection) -> None:
        await conn.execute("SELECT * FROM nowhere")

    async with Database(dsn.with_(pool_timeout=0.3), configure=configure) as database:
        with pytest.raises(Exception, match='relation "nowhere" does not exist'):
            await database.fetch_value("SELECT 1")
        assert database.stats().connect_failures < 20, "it is not tried without a pause"


async def test_the_database_can_be_closed_while_a_session_is_being_reset(dsn: Dsn) -> None:
    started = asyncio.Event()

    async def reset(_: Connection) -> None:
        started.set()
        await asyncio.sleep(60)

    database = Database(dsn, min_size=1, reset=reset)
    await database.open(wait=10)
    await started.wait()
    await database.close(timeout=0.05)
    assert database.stats().size == 0


# What is seen in a text


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT temp, offset_set FROM reset_log",
        "UPDATE entry\nSET id = 1",
        "INSERT INTO t VALUES ('a; b')",
        "SET LOCAL work_mem = '1MB'",
        "set /* x */ local work_mem = '1MB'",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET CONSTRAINTS ALL DEFERRED",
        "SELECT set_config('a.b', lower($1), true)",
        "DECLARE c CURSOR FOR SELECT 1",
        "SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock(2)",
    ],
)
def test_what_ends_with_its_transaction_is_no_change(sql: str) -> None:
    assert not changes_session(sql)


@given(
    st.sampled_from([leave for leave, _ in LEFT.values() if "hides" not in leave]),
    st.sampled_from(["", " ", "\n", "-- note\n", "/* note */ ", "SELECT 1;", "SELECT ';';\n"]),
    st.booleans(),
    st.integers(0, 3000),
)
def test_a_change_is_seen_wherever_it_stands(sql: str, before: str, upper: bool, length: int) -> None:
    text = before + (sql.upper() if upper else sql.lower()) + " " * length
    assert changes_session(text)


@BOTH
async def test_the_log_says_nothing_for_ordinary_work(either: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "esteio.postgres"):
        await either.fetch_value("SELECT 1")
        async with either.transaction() as conn:
            await conn.execute("SELECT 1")
    assert not caplog.records


@BOTH
async def test_a_connection_that_comes_back_inside_of_a_pipeline_is_replaced(either: Any) -> None:
    async with either.connection() as conn:
        pid = conn.pid
        block = conn.pipeline()  # kept: a context manager that is collected leaves its block
        await block.__aenter__()
    assert await either.fetch_value("SELECT pg_backend_pid()") != pid


@BOTH
async def test_a_deadline_that_has_passed_does_not_stop_the_reset(either: Any) -> None:
    pid = await either.fetch_value("SELECT pg_backend_pid()")
    clock = ManualClock()
    with deadline.within(1.0, clock=clock):
        async with either.connection() as conn:
            await conn.execute("SET work_mem = '64kB'")
            clock.advance(2.0)
    assert await either.fetch_value("SHOW work_mem") != "64kB"
    assert await either.fetch_value("SELECT pg_backend_pid()") == pid
