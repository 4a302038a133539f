"""A function that gets a transaction: run again when that is safe, and committed once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from flavours import BOTH
from psycopg import IsolationLevel

from esteio import policy
from esteio.policy import DeadlineExceeded
from esteio.postgres import (
    CommitResolved,
    CommitUnknown,
    Connection,
    Database,
    DatabaseUnavailable,
    Dsn,
    Outcome,
    PoolExhausted,
    ReadOnlyServer,
    SerializationConflict,
    TransactionRetried,
)
from esteio.postgres._connect import Opener
from esteio.postgres.sync import SyncDatabase
from esteio.testing import FlakyProxy, recorded_events
from esteio.testing._proxy import Direction


@pytest.fixture
async def database(postgres_database: str) -> AsyncIterator[Database]:
    dsn = Dsn.parse(postgres_database).with_(connection_limit=4, pool_timeout=5.0)
    async with Database(dsn, settings={"lock_timeout": "5000"}) as database:
        await database.execute("CREATE TABLE account (id int PRIMARY KEY, sum int NOT NULL)")
        await database.execute("INSERT INTO account VALUES (1, 100), (2, 100)")
        yield database


async def insert(conn: Connection) -> int:
    await conn.execute("INSERT INTO account VALUES (3, 7)")
    return 3


async def kill(database: Database, pid: int) -> None:
    await database.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def test_what_the_function_returns_is_returned_and_what_it_did_is_committed(database: Database) -> None:
    assert await database.run(insert) == 3
    assert await database.fetch_value("SELECT sum FROM account WHERE id = 3") == 7


async def test_an_error_of_the_function_rolls_back_passes_unchanged_and_is_not_retried(database: Database) -> None:
    calls = []

    async def fail(conn: Connection) -> None:
        calls.append(1)
        await insert(conn)
        raise LookupError

    with pytest.raises(LookupError):
        await database.run(fail)
    with pytest.raises(psycopg.errors.UniqueViolation):
        await database.run(lambda conn: conn.execute("INSERT INTO account VALUES (1, 1)"))
    assert (len(calls), await database.fetch_value("SELECT count(*) FROM account")) == (1, 2)
    assert database.stats().in_use == 0


async def test_a_serialization_failure_runs_the_function_again(database: Database) -> None:
    calls = 0

    async def add(conn: Connection) -> None:
        nonlocal calls
        calls += 1
        cursor = await conn.execute("SELECT sum FROM account WHERE id = 1")
        (before,) = await cursor.fetchone() or (0,)
        if calls == 1:
            await database.execute("UPDATE account SET sum = sum + 1 WHERE id = 1")
        await conn.execute("UPDATE account SET sum = %s WHERE id = 1", [before + 10])

    with recorded_events() as events:
        await database.run(add, isolation=IsolationLevel.REPEATABLE_READ)
    assert (calls, await database.fetch_value("SELECT sum FROM account WHERE id = 1")) == (2, 111)
    retried = [event for event in events if isinstance(event, TransactionRetried)]
    assert [(event.attempt, event.reason) for event in retried] == [(2, "conflict")]
    assert database.retried == 1


async def test_both_sides_of_a_deadlock_get_through(database: Database) -> None:
    meeting = asyncio.Barrier(2)
    calls = 0

    async def move(conn: Connection, first: int, second: int) -> None:
        nonlocal calls
        calls += 1
        await conn.execute("UPDATE account SET sum = sum + 1 WHERE id = %s", [first])
        if calls <= 2:
            await meeting.wait()
        await conn.execute("UPDATE account SET sum = sum + 1 WHERE id = %s", [second])

    await asyncio.gather(database.run(lambda c: move(c, 1, 2)), database.run(lambda c: move(c, 2, 1)))
    assert calls == 3
    assert await database.fetch_all("SELECT sum FROM account") == [(102,), (102,)]


async def test_a_connection_lost_before_commit_runs_the_function_again_and_only_once_counts(database: Database) -> None:
    pids = []

    async def unlucky(conn: Connection) -> None:
        pids.append(conn.info.backend_pid)
        await insert(conn)
        if len(pids) == 1:
            await kill(database, pids[0])
            await conn.execute("SELECT 1")

    await database.run(unlucky)
    assert len(set(pids)) == 2
    assert await database.fetch_value("SELECT count(*) FROM account") == 3


async def test_a_connection_lost_unnoticed_by_the_function_is_found_out_at_commit(database: Database) -> None:
    pids = []

    async def unlucky(conn: Connection) -> None:
        pids.append(conn.info.backend_pid)
        await insert(conn)
        if len(pids) == 1:
            await kill(database, pids[0])

    with recorded_events() as events:
        await database.run(unlucky)
    assert len(pids) == 2
    assert [event.outcome for event in events if isinstance(event, CommitResolved)] == [Outcome.ABORTED]
    assert await database.fetch_value("SELECT count(*) FROM account") == 3


async def test_attempts_are_bounded_and_the_last_error_says_what_to_do(database: Database) -> None:
    calls = 0

    async def never(conn: Connection) -> None:
        nonlocal calls
        calls += 1
        raise psycopg.errors.SerializationFailure("could not serialize")

    with pytest.raises(SerializationConflict, match="run the whole transaction again"):
        await database.run(never, attempts=3)
    assert calls == 3


async def test_inside_of_another_retry_there_is_a_single_attempt(database: Database) -> None:
    calls = 0

    async def never(conn: Connection) -> None:
        nonlocal calls
        calls += 1
        raise psycopg.errors.SerializationFailure("could not serialize")

    retry = policy.Retry(attempts=2, backoff=0.0, on=(SerializationConflict,), idempotent=True)
    outer = policy.Pipeline("test_run nested", retry)
    with pytest.raises(SerializationConflict):
        await outer.acall(database.run, never)
    assert calls == 2


@pytest.mark.parametrize("wrong", [{"deadline": -0.1}, {"deadline": float("nan")}, {"attempts": 0}, {"attempts": -1}])
async def test_a_limit_that_cannot_be_kept_is_refused(database: Database, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        await database.run(insert, **wrong)
    with SyncDatabase(database.dsn) as threads, pytest.raises(ValueError, match="allowed"):
        threads.run(lambda conn: conn.execute("SELECT 1"), **wrong)
    assert await database.fetch_value("SELECT count(*) FROM account") == 2


async def test_a_deadline_ends_a_statement_a_wait_and_a_function_that_does_something_else(database: Database) -> None:
    for work in (
        lambda conn: conn.execute("SELECT pg_sleep(4)"),
        lambda conn: asyncio.sleep(4),
    ):
        began = asyncio.get_running_loop().time()
        with pytest.raises(DeadlineExceeded):
            await database.run(work, deadline=0.2)
        assert asyncio.get_running_loop().time() - began < 2.0
    assert database.stats().in_use == 0


async def test_a_deadline_costs_no_connection_and_the_server_no_more_work(database: Database) -> None:
    await asyncio.gather(*(database.fetch_value("SELECT 1 FROM pg_sleep(0.05)") for _ in range(4)))
    before = database.stats()
    with pytest.raises(DeadlineExceeded):
        await database.run(lambda conn: conn.execute("SELECT pg_sleep(4.321)"), deadline=0.2)
    running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(4.321)'"
    for _ in range(200):
        if await database.fetch_value(running) == 0:
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("the statement goes on although nobody waits for it")
    assert database.stats().lost == before.lost


async def test_a_write_to_a_server_that_only_reads_is_an_error_soon_and_reads_go_on(
    database: Database, postgres_database: str
) -> None:
    await database.execute(
        f"ALTER DATABASE {Dsn.parse(postgres_database).database} SET default_transaction_read_only = on"
    )
    async with Database(postgres_database) as reading:
        with pytest.raises(ReadOnlyServer):
            await reading.execute("INSERT INTO account VALUES (3, 7)")
        with pytest.raises(ReadOnlyServer):
            await reading.run(insert)
        assert await reading.fetch_value("SELECT count(*) FROM account") == 2
        assert reading.stats().connects < 20


async def test_a_deadline_around_the_call_counts_and_the_function_sees_what_is_left(database: Database) -> None:
    async def look(conn: Connection) -> float | None:
        return policy.deadline.remaining()

    with policy.deadline.within(3.0):
        left = await database.run(look)
    assert left is not None
    assert 0.0 < left <= 3.0
    assert await database.run(look) is None
    left = await database.run(look, deadline=2.0)
    assert left is not None
    assert 0.0 < left <= 2.0


async def test_a_timeout_of_the_function_itself_is_not_taken_for_the_deadline(database: Database) -> None:
    async def impatient(conn: Connection) -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)

    with pytest.raises(TimeoutError) as caught:
        await database.run(impatient, deadline=10.0)
    assert not isinstance(caught.value, DeadlineExceeded)


async def test_a_read_only_run_cannot_write_and_that_is_the_callers_fault(database: Database) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="read-only transaction"):
        await database.run(insert, read_only=True)
    assert await database.fetch_value("SELECT count(*) FROM account") == 2
    assert database.stats().lost == 0, "no reason to give up any connection"


async def test_a_read_only_run_costs_no_transaction_id(database: Database) -> None:
    async def assigned(conn: Connection) -> object:
        row = await (await conn.execute("SELECT pg_current_xact_id_if_assigned()")).fetchone()
        return row and row[0]

    assert await database.run(assigned, read_only=True) is None
    assert await database.run(assigned) is not None


async def test_a_swallowed_error_does_not_look_like_success(database: Database) -> None:
    async def careless(conn: Connection) -> None:
        await insert(conn)
        try:
            await conn.execute("SELECT 1/0")
        except psycopg.errors.DivisionByZero:
            return

    with pytest.raises(psycopg.errors.InFailedSqlTransaction, match="was swallowed"):
        await database.run(careless)
    assert await database.fetch_value("SELECT count(*) FROM account") == 2


async def test_a_function_must_leave_commit_to_run(database: Database) -> None:
    async def eager(conn: Connection) -> None:
        await conn.commit()

    with pytest.raises(psycopg.ProgrammingError, match="leave BEGIN, COMMIT and ROLLBACK"):
        await database.run(eager)
    assert database.stats().in_use == 0


async def test_savepoints_work_inside(database: Database) -> None:
    async def partly(conn: Connection) -> None:
        await insert(conn)
        with pytest.raises(psycopg.errors.UniqueViolation):
            async with conn.transaction():
                await insert(conn)

    await database.run(partly)
    assert await database.fetch_value("SELECT count(*) FROM account") == 3


async def test_a_transaction_block_can_be_left_by_rollback(database: Database) -> None:
    async with database.transaction() as conn:
        await insert(conn)
        raise psycopg.Rollback
    assert await database.fetch_value("SELECT count(*) FROM account") == 2


async def test_a_run_inside_a_run_on_a_pool_of_one_is_an_error_and_no_deadlock(postgres_database: str) -> None:
    async with Database(Dsn.parse(postgres_database).with_(connection_limit=1, pool_timeout=0.2)) as database:

        async def inner(conn: Connection) -> None:
            return None

        async def outer(conn: Connection) -> None:
            await database.run(inner)

        with pytest.raises(PoolExhausted, match="1 of at most 1 connections in use"):
            await database.run(outer)
        assert await database.run(lambda conn: asyncio.sleep(0, 5)) == 5


@pytest.mark.parametrize("moment", ["begin", "work", "commit", "rollback"])
async def test_cancellation_at_each_await_frees_the_connection_and_commits_nothing_by_half(
    database: Database, moment: str
) -> None:
    reached = asyncio.Event()

    async def work(conn: Connection) -> None:
        await insert(conn)
        reached.set()
        if moment == "work":
            await conn.execute("SELECT pg_sleep(10)")
        if moment == "rollback":
            raise LookupError

    task = asyncio.create_task(database.run(work))
    if moment == "begin":
        await asyncio.sleep(0)
    else:
        await reached.wait()
        if moment == "commit":
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises((asyncio.CancelledError, LookupError)):
        await task
    assert database.stats().in_use == 0
    count = await database.fetch_value("SELECT count(*) FROM account")
    assert count == 2 or (moment == "commit" and count == 3)
    assert database.retried == 0


async def test_cancellation_after_any_number_of_turns_leaves_the_pool_whole(database: Database) -> None:
    for turns in range(40):
        task = asyncio.create_task(
            database.run(lambda conn: conn.execute("UPDATE account SET sum = sum + 1 WHERE id = 1"))
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert (database.stats().in_use, database.stats().waiting) == (0, 0)
    assert await database.fetch_value("SELECT sum FROM account WHERE id = 1") >= 100


@pytest.mark.fault
@pytest.mark.untimed
async def test_commits_whose_answers_are_cut_at_any_byte_are_applied_exactly_once(
    postgres_database: str, database: Database
) -> None:
    dsn = Dsn.parse(postgres_database)
    (directory, port), *_ = dsn.hosts
    await database.execute("CREATE TABLE done (id int PRIMARY KEY)")
    with FlakyProxy(f"{directory}/.s.PGSQL.{port}") as proxy, recorded_events() as events:
        through = dsn.with_(hosts=(proxy.address,), parameters=(("sslmode", "disable"), ("gssencmode", "disable")))
        async with Database(through.with_(connection_limit=2), name="cut", min_size=1) as cut:
            await cut.fetch_value("SELECT 1")
            for number in range(33):
                first = True

                async def write(conn: Connection, number: int = number) -> None:
                    nonlocal first
                    await conn.execute("INSERT INTO done VALUES (%s)", [number], prepare=False)
                    first, is_first = False, first
                    if not is_first:
                        return
                    # From here on there is only COMMIT, of which the server may not get all, or we of its answer.
                    if number % 3 == 2:
                        proxy.cut_after(number % 11, "up")
                    else:
                        proxy.cut_after(number % 23, "down")
                    asyncio.get_running_loop().call_later(0.03, proxy.heal)

                await cut.run(write)
        assert await database.fetch_value("SELECT count(*) FROM done") == 33
    outcomes = [event.outcome for event in events if isinstance(event, CommitResolved)]
    assert {Outcome.COMMITTED, Outcome.ABORTED} == set(outcomes), "both have happened, and nothing was unknown"


@pytest.mark.fault
@pytest.mark.untimed
@BOTH
async def test_a_pipeline_whose_connection_is_lost_midway_is_run_again_and_applied_once(
    postgres_database: str, database: Database, flavour: Any
) -> None:
    dsn = Dsn.parse(postgres_database)
    (directory, port), *_ = dsn.hosts
    await database.execute("CREATE TABLE done (id int, part int)")  # without a key: what is done twice shows
    with FlakyProxy(f"{directory}/.s.PGSQL.{port}") as proxy, recorded_events() as events:
        through = dsn.with_(hosts=(proxy.address,), parameters=(("sslmode", "disable"), ("gssencmode", "disable")))
        async with flavour(through.with_(connection_limit=1), name="cut", min_size=1) as cut:
            for number in range(8):
                tries = 0

                async def write(conn: Any, number: int = number) -> None:
                    nonlocal tries
                    tries += 1
                    try:
                        async with conn.pipeline():
                            for part in range(20):
                                await conn.execute("INSERT INTO done VALUES (%s, %s)", [number, part])
                                if (tries, part) == (1, 10):  # what is under way is lost, or what is answered
                                    proxy.cut_after(41 * number % 200, "up" if number % 2 else "down")
                    finally:
                        proxy.heal()

                await cut.run(write)
            assert (cut.stats().in_use, cut.stats().lost) == (0, 8)
        assert await database.fetch_all("SELECT id, count(*) FROM done GROUP BY id ORDER BY id") == [
            (number, 20) for number in range(8)
        ]
    assert len([event for event in events if isinstance(event, TransactionRetried)]) == 8


@pytest.mark.fault
@pytest.mark.untimed
async def test_a_transaction_block_whose_commit_was_cut_ends_well_or_says_that_nothing_was_committed(
    postgres_database: str, database: Database
) -> None:
    dsn = Dsn.parse(postgres_database)
    (directory, port), *_ = dsn.hosts
    with FlakyProxy(f"{directory}/.s.PGSQL.{port}") as proxy:
        through = dsn.with_(hosts=(proxy.address,), parameters=(("sslmode", "disable"), ("gssencmode", "disable")))
        async with Database(through, name="cut", min_size=1) as cut:
            async with cut.transaction() as conn:
                await conn.execute("INSERT INTO account VALUES (3, 7)")
                proxy.cut_after(0, "down")
                asyncio.get_running_loop().call_later(0.05, proxy.heal)
            assert await cut.fetch_value("SELECT count(*) FROM account") == 3
            with pytest.raises(DatabaseUnavailable):  # noqa: PT012
                async with cut.transaction() as conn:
                    await conn.execute("INSERT INTO account VALUES (4, 7)")
                    proxy.cut_after(0, "up")
                    asyncio.get_running_loop().call_later(0.05, proxy.heal)
            assert await cut.fetch_value("SELECT count(*) FROM account") == 3


@pytest.mark.fault
async def test_a_commit_that_cannot_be_looked_up_before_the_deadline_is_unknown_and_has_its_number(
    postgres_database: str, database: Database
) -> None:
    dsn = Dsn.parse(postgres_database)
    (directory, port), *_ = dsn.hosts
    with FlakyProxy(f"{directory}/.s.PGSQL.{port}") as proxy:
        through = dsn.with_(hosts=(proxy.address,), parameters=(("sslmode", "disable"), ("gssencmode", "disable")))
        async with Database(through, name="silent", min_size=1) as silent:
            xids = []

            async def write(conn: Connection) -> None:
                await insert(conn)
                row = await (await conn.execute("SELECT pg_current_xact_id()::text")).fetchone()
                xids.append(int(row[0]) if row else 0)
                proxy.swallow("down")

            with pytest.raises(CommitUnknown) as caught:
                await silent.run(write, deadline=0.5)
            proxy.heal()
            proxy.cut()
            assert [caught.value.xid] == xids
        status = await database.fetch_value("SELECT pg_xact_status(%s::text::xid8)", [str(xids[0])])
        assert status == "committed", "so it is right not to say that it failed"


@pytest.mark.fault
@pytest.mark.untimed
async def test_behind_a_proxy_that_hides_the_server_each_transaction_asks_where_it_is(
    postgres_database: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hide_server(monkeypatch, answers=True)
    with recorded_events() as events:
        for direction in ("down", "up"):
            await _commit_through_a_cut(postgres_database, direction)
    outcomes = [event.outcome for event in events if isinstance(event, CommitResolved)]
    assert outcomes == [Outcome.COMMITTED, Outcome.ABORTED]
    assert await database.fetch_value("SELECT sum FROM account WHERE id = 1") == 102


@pytest.mark.fault
@pytest.mark.untimed
async def test_a_server_that_does_not_tell_who_it_is_leaves_a_lost_commit_unknown(
    postgres_database: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hide_server(monkeypatch, answers=False)
    with pytest.raises(CommitUnknown, match="does not tell who it is"):
        await _commit_through_a_cut(postgres_database, "down")
    assert await database.fetch_value("SELECT sum FROM account WHERE id = 1") == 101


async def test_a_number_not_given_out_yet_is_told_as_such_with_a_proxy_or_without(database: Database) -> None:
    async with database.connection() as conn:
        assert await database._resolver._look(conn, 10**12) == (conn.life, "future")
        life, conn.life = conn.life, None
        assert await database._resolver._look(conn, 10**12) == (life, "future")
        assert conn.reusable()


def _hide_server(monkeypatch: pytest.MonkeyPatch, *, answers: bool) -> None:
    """Let connections look as they do behind PgBouncer, or to a role that may not ask."""
    identify = Opener._identify

    async def blind(opener: Opener, conn: Connection) -> None:
        await identify(opener, conn)
        conn.life, conn.knows_origin = None, answers

    monkeypatch.setattr(Opener, "_identify", blind)


async def _commit_through_a_cut(url: str, direction: Direction) -> None:
    dsn = Dsn.parse(url)
    (directory, port), *_ = dsn.hosts
    first = True
    with FlakyProxy(f"{directory}/.s.PGSQL.{port}") as proxy:
        through = dsn.with_(hosts=(proxy.address,), parameters=(("sslmode", "disable"), ("gssencmode", "disable")))

        async def write(conn: Connection) -> None:
            nonlocal first
            await conn.execute("UPDATE account SET sum = sum + 1 WHERE id = 1")
            if first:
                first = False
                proxy.cut_after(0, direction)
                asyncio.get_running_loop().call_later(0.05, proxy.heal)

        async with Database(through, name="hidden", min_size=1) as hidden:
            await hidden.run(write)
