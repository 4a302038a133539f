"""A caller with a deadline gets its answer by then, and leaves nothing running on a server that lives.

A deadline is the caller's own end: it is not the database's failure, and it costs nobody a connection.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import psycopg
import pytest
from flavours import BOTH, guarded
from patience import until

from esteio import CircuitBreaker, Deadline, DeadlineExceeded, Pipeline
from esteio.policy import deadline
from esteio.postgres import CommitUnknown, Database, DatabaseUnavailable, Dsn
from esteio.postgres._commands import Mode
from esteio.postgres._transaction import Transaction
from esteio.testing.postgres import PostgresServer

_SLEEPERS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(33)' AND state = 'active' AND pid <> %s"
_SLEEP = "SELECT 1 FROM pg_sleep(33)"
_PID = "SELECT pg_backend_pid()"


async def _within(seconds: float, call: Awaitable[None]) -> None:
    with deadline.within(seconds):
        await call


@pytest.fixture
def one(postgres_database: str) -> Dsn:
    """An address whose pool has a single connection, so that a lost one shows."""
    return Dsn.parse(postgres_database).with_(connection_limit=1)


@BOTH
async def test_a_statement_whose_time_is_up_is_stopped_on_the_server(postgres_database: str, flavour: Any) -> None:
    short = Pipeline("short", Deadline(0.3), registry=None)
    async with flavour(Dsn.parse(postgres_database).with_(connection_limit=2)) as database:
        for _ in range(3):
            with pytest.raises(DeadlineExceeded):
                await guarded(short, database.fetch_value, _SLEEP)
            assert await database.fetch_value(_SLEEPERS, [0]) == 0
        assert database.stats().in_use == 0


@BOTH
async def test_a_deadline_that_cancels_nobody_opens_no_circuit_and_costs_no_connection(one: Dsn, flavour: Any) -> None:
    breaker = Pipeline("test_deadlines", CircuitBreaker(failures=2), registry=None)
    async with flavour(one) as database:
        pid = await guarded(breaker, database.fetch_value, _PID)
        for _ in range(3):
            with deadline.within(0.2), pytest.raises(DeadlineExceeded):
                await guarded(breaker, database.fetch_value, _SLEEP)
        assert await guarded(breaker, database.fetch_value, _PID) == pid
        assert await database.fetch_value(_SLEEPERS, [0]) == 0


@BOTH
async def test_a_deadline_that_ends_the_wait_for_a_busy_pool_is_not_the_pools_failure(one: Dsn, flavour: Any) -> None:
    async with flavour(one) as database, database.connection():
        with deadline.within(0.1), pytest.raises(DeadlineExceeded):
            await database.fetch_value(_PID)


@BOTH
async def test_after_the_deadline_nothing_is_begun_and_no_connection_touched(one: Dsn, flavour: Any) -> None:
    async def work(conn: Any) -> None:
        await conn.execute("SELECT 1")

    async with flavour(one) as database:
        pid = await database.fetch_value(_PID)
        before = database.stats().acquired
        with deadline.within(0.0):
            for late in (lambda: database.fetch_value(_PID), lambda: database.run(work)):
                with pytest.raises(DeadlineExceeded):
                    await late()
        with pytest.raises(DeadlineExceeded):
            await database.run(work, deadline=0.0)
        assert database.stats().acquired == before
        assert await database.fetch_value(_PID) == pid


@BOTH
@pytest.mark.parametrize("how", ["deadline=", "within", "policy"])
async def test_a_run_that_is_late_is_rolled_back_and_keeps_its_connection(one: Dsn, how: str, flavour: Any) -> None:
    async def work(conn: Any) -> None:
        await conn.execute("CREATE TABLE late ()")
        await conn.execute(_SLEEP)

    async with flavour(one) as database:
        pid = await database.fetch_value(_PID)
        late: dict[str, Callable[[], Awaitable[None]]] = {
            "deadline=": lambda: database.run(work, deadline=0.3),
            "within": lambda: _within(0.3, database.run(work)),
            "policy": lambda: guarded(Pipeline("short", Deadline(0.3), registry=None), database.run, work),
        }
        with pytest.raises(DeadlineExceeded):
            await late[how]()
        assert await database.fetch_value("SELECT to_regclass('late') IS NULL") is True
        assert await database.fetch_value(_PID) == pid


@BOTH
async def test_a_function_that_uses_up_the_deadline_elsewhere_is_not_committed(one: Dsn, flavour: Any) -> None:
    async def work(conn: Any) -> None:
        await conn.execute("CREATE TABLE late ()")
        while deadline.remaining():  # noqa: ASYNC110 - a function that does not look at its deadline
            await asyncio.sleep(0.005)

    async with flavour(one) as database:
        with pytest.raises(DeadlineExceeded):
            await database.run(work, deadline=0.1)
        assert await database.fetch_value("SELECT to_regclass('late') IS NULL") is True


async def test_a_connection_wanted_by_a_late_caller_is_opened_for_the_next(one: Dsn) -> None:
    async with Database(one, min_size=0) as database:
        with deadline.within(1e-4), pytest.raises((DeadlineExceeded, DatabaseUnavailable)):
            await database.fetch_value(_PID)
        assert await database.fetch_value("SELECT 1") == 1
        assert database.stats().connect_failures == 0


# COMMIT

_AT_COMMIT = """
CREATE TABLE entry (id int);
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION at_commit();
"""
_CONFLICT = "RAISE EXCEPTION 'not serializable' USING ERRCODE = '40001';"
_JUST_LATE = "PERFORM pg_sleep(0.4);"  # the run below has 0.3 s


async def _insert(conn: Any) -> str:
    await conn.execute("INSERT INTO entry VALUES (1)")
    return "done"


@BOTH
async def test_a_commit_refused_just_after_the_deadline_is_not_unknown(one: Dsn, flavour: Any) -> None:
    async with flavour(one) as database:
        async with database.connection() as conn:
            await conn.execute(_AT_COMMIT.format(_JUST_LATE + _CONFLICT), prepare=False)
        with pytest.raises(DeadlineExceeded):
            await database.run(_insert, deadline=0.3)
        assert await database.fetch_value("SELECT count(*) FROM entry") == 0


@BOTH
async def test_a_commit_acknowledged_just_after_the_deadline_is_a_success(one: Dsn, flavour: Any) -> None:
    async with flavour(one) as database:
        async with database.connection() as conn:
            await conn.execute(_AT_COMMIT.format(_JUST_LATE), prepare=False)
        assert await database.run(_insert, deadline=0.3) == "done"
        assert await database.fetch_value("SELECT count(*) FROM entry") == 1


@BOTH
async def test_a_commit_that_goes_on_long_after_the_deadline_is_unknown_and_no_connection_of_others_is_given_up(
    postgres_database: str, flavour: Any
) -> None:
    async with flavour(postgres_database) as database:
        async with database.connection() as conn:
            await conn.execute(_AT_COMMIT.format("PERFORM pg_sleep(2);"), prepare=False)
        async with database.connection(), database.connection():
            pass
        with pytest.raises(CommitUnknown):
            await database.run(_insert, deadline=0.3)
        assert database.stats().lost == 1


async def test_a_transaction_is_committed_although_its_place_in_the_log_may_not_be_asked_for(
    postgres_server: PostgresServer, postgres_database: str
) -> None:
    name = Dsn.parse(postgres_database).database
    with psycopg.connect(postgres_database, autocommit=True) as admin:
        admin.execute("CREATE TABLE entry (id int)")
        admin.execute(f"CREATE ROLE {name} LOGIN")
        admin.execute(f"GRANT INSERT ON entry TO {name}")
        admin.execute("REVOKE EXECUTE ON FUNCTION pg_current_wal_insert_lsn() FROM public")
    try:
        async with Database(postgres_server.dsn(name, name)) as database:
            pool, conn = await database.core.borrow(False, None)
            work = Transaction(
                conn,
                pool,
                database._resolver,
                database.core.target,
                Mode(),
                begin_timeout=15.0,
                commit_timeout=15.0,
                locate=True,
            )
            await work.begin()
            await conn.execute("INSERT INTO entry VALUES (1)")
            await work.commit()
            assert work.lsn is None
            assert database.stats().in_use == 0
        with psycopg.connect(postgres_database) as admin:
            assert admin.execute("SELECT count(*) FROM entry").fetchone() == (1,)
    finally:
        with psycopg.connect(postgres_database, autocommit=True) as admin:
            admin.execute(f"DROP OWNED BY {name}")
            admin.execute(f"DROP ROLE {name}")


# A server that hangs


@pytest.fixture(scope="module")
def freezable() -> Iterator[PostgresServer]:
    """A server of its own for the tests that freeze it."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def frozen(freezable: PostgresServer) -> Iterator[PostgresServer]:
    """A server that the test may freeze."""
    yield freezable
    freezable.thaw()


@pytest.mark.fault
@BOTH
async def test_a_server_that_hangs_makes_nobody_wait_beyond_the_deadline(frozen: PostgresServer, flavour: Any) -> None:
    async def work(conn: Any) -> None:
        await conn.execute("SELECT 1")

    async with flavour(frozen.dsn().with_(connection_limit=4), min_size=4) as database:
        await until(lambda: database.stats().idle == 4)
        frozen.freeze()
        began = time.monotonic()
        if flavour is Database:  # it is cancelled, where a thread waits on
            with pytest.raises(DeadlineExceeded):
                await guarded(Pipeline("short", Deadline(0.5), registry=None), database.fetch_value, "SELECT 1")
            assert time.monotonic() - began < 1.4, "a request to cancel was waited for"
        with deadline.within(0.3), pytest.raises(DeadlineExceeded):
            await database.fetch_value("SELECT 1")
        with pytest.raises(DeadlineExceeded):
            await database.run(work, deadline=0.3)
        with deadline.within(0.3), pytest.raises(DeadlineExceeded):
            async with database.connection() as conn:
                await conn.execute("SELECT 1")
        assert time.monotonic() - began < 6
        frozen.thaw()
        assert await database.fetch_value("SELECT 1", read_only=True) == 1
        assert database.stats().in_use == 0


@pytest.mark.fault
@BOTH
async def test_a_begin_that_is_not_answered_is_left_after_answer_timeout_and_runs_on_another_connection(
    postgres_database: str, flavour: Any
) -> None:
    async with flavour(postgres_database, min_size=1, answer_timeout=0.3) as database:
        frozen = await database.fetch_value(_PID)
        os.kill(frozen, signal.SIGSTOP)
        try:
            with pytest.raises(DatabaseUnavailable, match=r"BEGIN was not answered within 0\.3 s"):
                async with database.transaction():
                    pass
            assert await database.run(_backend) != frozen
            assert (database.stats().in_use, database.stats().lost) == (0, 1)
        finally:
            os.kill(frozen, signal.SIGCONT)


@pytest.mark.fault
@BOTH
async def test_a_run_goes_on_where_a_server_answers_when_its_begin_was_not(
    postgres_database: str, flavour: Any
) -> None:
    async with flavour(postgres_database, min_size=1, answer_timeout=0.3) as database:
        frozen = await database.fetch_value(_PID)
        os.kill(frozen, signal.SIGSTOP)
        try:
            assert await database.run(_backend) != frozen
            assert database.retried == 1
        finally:
            os.kill(frozen, signal.SIGCONT)


@pytest.mark.fault
@BOTH
async def test_a_commit_that_is_not_answered_is_unknown_after_answer_timeout(
    frozen: PostgresServer, flavour: Any
) -> None:
    dsn = frozen.dsn().with_(pool_timeout=0.5, statement_timeout=200)  # and a second more, for COMMIT
    async with flavour(dsn, min_size=1, answer_timeout=0.3) as database:

        async def freeze(conn: Any) -> None:
            await conn.execute("CREATE TEMP TABLE entry (id int)")  # so that it has a number
            frozen.freeze()

        with pytest.raises(CommitUnknown) as caught:
            await database.run(freeze)
        assert caught.value.xid > 0
        assert "COMMIT was not answered within 1.2 s" in str(caught.value.__cause__)
        assert database.stats().in_use == 0
        frozen.thaw()


async def _backend(conn: Any) -> int:
    row = await (await conn.execute(_PID)).fetchone()
    return int(row[0])
