"""The database for threads keeps the promises of the one for asyncio."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from esteio.policy import DeadlineExceeded, deadline
from esteio.postgres import DatabaseUnavailable, Dsn, PoolExhausted, SerializationConflict, StatementTimeout
from esteio.postgres._errors import CommitUnknown
from esteio.postgres.sync import SyncConnection, SyncDatabase
from esteio.testing import FlakyProxy, recorded_events
from esteio.testing.postgres import PostgresServer


@pytest.fixture
def dsn(postgres_database: str) -> Dsn:
    return Dsn.parse(postgres_database).with_(connection_limit=4)


@pytest.fixture
def database(dsn: Dsn) -> Iterator[SyncDatabase]:
    with SyncDatabase(dsn) as database:
        yield database


@pytest.fixture
def counter(database: SyncDatabase) -> SyncDatabase:
    """A database with a row to count in."""
    database.execute("CREATE TABLE counter AS SELECT 0 AS n")
    database.execute("CREATE TABLE entry (id int)")
    return database


def _until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def _end_sessions(dsn: Dsn) -> None:
    with psycopg.connect(dsn.conninfo, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def _count_up(conn: SyncConnection) -> int:
    row = conn.execute("UPDATE counter SET n = n + 1 RETURNING n").fetchone()
    return int(row[0]) if row else -1


# Statements and blocks


def test_statements_answer_with_rows_values_and_counts(counter: SyncDatabase) -> None:
    assert counter.execute("INSERT INTO entry SELECT generate_series(1, 3)") == 3
    assert counter.fetch_value("SELECT sum(id) FROM entry WHERE id < %s", [3]) == 3
    assert counter.fetch_one("SELECT id FROM entry WHERE id > 5") is None
    assert counter.fetch_all("SELECT id FROM entry ORDER BY 1", row_factory=dict_row) == [{"id": n} for n in (1, 2, 3)]
    assert 0 < counter.ping() < 1
    with pytest.raises(psycopg.errors.UndefinedTable):
        counter.execute("SELECT * FROM nothing")
    assert counter.stats().in_use == 0


def test_a_transaction_is_all_or_nothing(counter: SyncDatabase) -> None:
    with pytest.raises(RuntimeError), counter.transaction() as conn:  # noqa: PT012 - the block is what fails
        _count_up(conn)
        raise RuntimeError
    with counter.transaction() as conn:
        _count_up(conn)
        with conn.transaction():
            _count_up(conn)
            raise psycopg.Rollback
    with counter.transaction() as conn:
        _count_up(conn)
        raise psycopg.Rollback
    assert counter.fetch_value("SELECT n FROM counter") == 1
    error = psycopg.errors.InFailedSqlTransaction
    with pytest.raises(error), counter.transaction() as conn, suppress(psycopg.errors.DivisionByZero):
        conn.execute("SELECT 1/0")
    assert counter.stats().in_use == 0


def test_the_server_ends_what_takes_too_long(dsn: Dsn) -> None:
    with SyncDatabase(dsn.with_(statement_timeout=100)) as database:
        with pytest.raises(StatementTimeout):
            database.execute("SELECT pg_sleep(10)")
        assert database.fetch_value("SELECT 1") == 1


# The queue


def test_a_pool_of_one_serves_many_threads_in_turn(dsn: Dsn) -> None:
    with SyncDatabase(dsn.with_(connection_limit=1)) as database, ThreadPoolExecutor(8) as pool:
        pids = set(pool.map(lambda _: database.fetch_value("SELECT pg_backend_pid()"), range(80)))
        assert len(pids) == 1
        stats = database.stats()
        assert (stats.acquired, stats.in_use, stats.size) == (80, 0, 1)


def test_a_pool_never_opens_more_than_its_limit(dsn: Dsn) -> None:
    with SyncDatabase(dsn.with_(connection_limit=3)) as database, ThreadPoolExecutor(12) as pool:
        pids = set(pool.map(lambda _: database.fetch_value("SELECT pg_backend_pid() FROM pg_sleep(0.01)"), range(60)))
        assert 1 <= len(pids) <= 3


def test_the_wait_for_a_connection_ends(dsn: Dsn) -> None:
    with SyncDatabase(dsn.with_(connection_limit=1, pool_timeout=0.1)) as database, database.connection():
        with pytest.raises(PoolExhausted, match=r"none came free within 0\.1 s") as caught:
            database.fetch_value("SELECT 1")
        assert (caught.value.in_use, caught.value.max_size) == (1, 1)
        assert database.stats().timeouts == 1


def test_a_full_queue_says_so_at_once(dsn: Dsn) -> None:
    with SyncDatabase(dsn.with_(connection_limit=1), max_waiting=1) as database, ThreadPoolExecutor(1) as pool:
        with database.connection():
            first = pool.submit(database.fetch_value, "SELECT 7")
            _until(lambda: database.stats().waiting == 1)
            began = time.monotonic()
            with pytest.raises(PoolExhausted, match="the queue is full") as caught:
                database.fetch_value("SELECT 1")
            assert time.monotonic() - began < 3
            assert (caught.value.waiting, caught.value.max_waiting) == (1, 1)
        assert first.result(20) == 7
        assert database.stats().rejected == 1


# Outages


@pytest.mark.fault
@pytest.mark.untimed
def test_sessions_that_ended_while_idle_are_replaced_without_a_failure(dsn: Dsn) -> None:
    with SyncDatabase(dsn, min_size=4) as database:
        _until(lambda: database.stats().idle == 4)
        _end_sessions(dsn)
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _: database.fetch_value("SELECT 1"), range(40))) == [1] * 40
        assert database.stats().lost == 4


@pytest.mark.fault
@pytest.mark.untimed
def test_a_block_that_loses_its_server_is_unavailable_and_not_run_twice(counter: SyncDatabase, dsn: Dsn) -> None:
    ran = 0
    with pytest.raises(DatabaseUnavailable), counter.transaction() as conn:  # noqa: PT012 - the block is what fails
        ran += 1
        _count_up(conn)
        _end_sessions(dsn)
        _count_up(conn)
    assert (ran, counter.fetch_value("SELECT n FROM counter")) == (1, 0)


@pytest.mark.fault
@pytest.mark.untimed
def test_run_goes_on_after_its_server_was_lost(counter: SyncDatabase, dsn: Dsn) -> None:
    ran = 0

    def work(conn: SyncConnection) -> int:
        nonlocal ran
        ran += 1
        value = _count_up(conn)
        if ran == 1:
            _end_sessions(dsn)
        return value + 0 * _count_up_nothing(conn)

    with recorded_events() as seen:
        assert counter.run(work) == 1
    assert (ran, counter.fetch_value("SELECT n FROM counter"), counter.retried) == (2, 1, 1)
    assert "TransactionRetried" in [type(event).__name__ for event in seen]


def _count_up_nothing(conn: SyncConnection) -> int:
    conn.execute("SELECT 1")
    return 0


@pytest.mark.fault
@pytest.mark.untimed
def test_no_request_fails_and_no_write_is_lost_or_doubled_by_restarts(dsn: Dsn) -> None:
    server = PostgresServer()
    failed: list[BaseException] = []
    acknowledged = 0
    lock = threading.Lock()
    stop = threading.Event()

    def work(number: int) -> None:
        nonlocal acknowledged
        while not stop.is_set():
            try:
                if number % 2:
                    database.fetch_value("SELECT n FROM counter", read_only=True)
                else:
                    database.run(_count_up)
                    with lock:
                        acknowledged += 1
            except Exception as error:  # noqa: BLE001 - counted
                failed.append(error)
            time.sleep(0.005)

    try:
        server.start()
        with SyncDatabase(server.dsn().with_(connection_limit=4)) as database:
            database.execute("CREATE TABLE counter AS SELECT 0 AS n")
            threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
            for thread in threads:
                thread.start()
            for _ in range(2):
                time.sleep(0.5)
                pid = server.embedded.pid
                assert pid is not None
                os.kill(pid, signal.SIGQUIT)
                _until(lambda: not server.embedded.is_alive())
                server.start()
            time.sleep(0.5)
            stop.set()
            for thread in threads:
                thread.join(30)
            assert failed == []
            assert acknowledged > 0
            assert database.fetch_value("SELECT n FROM counter") == acknowledged
    finally:
        stop.set()
        server.stop()


@pytest.mark.fault
def test_a_caller_waits_for_an_absent_server_no_longer_than_it_may() -> None:
    with SyncDatabase("postgresql:///app?host=/nonexistent&pool_timeout=0.2") as database:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match=r"not reachable .*/nonexistent.* within 0\.2 s"):
            database.fetch_value("SELECT 1")
        assert 0.2 <= time.monotonic() - began < 5
        stats = database.stats()
        assert stats.connecting <= 1
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("pool main")]


def test_an_unreachable_host_among_good_ones_costs_no_request(dsn: Dsn) -> None:
    ((host, port),) = dsn.hosts
    with SyncDatabase(dsn.with_(hosts=(("/nonexistent", 5432), (host, port)))) as database:
        assert database.fetch_value("SELECT 1") == 1
        dead, good = database.hosts()
        assert (good.role, good.failures, dead.failures > 0) == ("primary", 0, True)


def test_a_role_that_does_not_exist_is_said_at_once(dsn: Dsn) -> None:
    with SyncDatabase(dsn.with_(user="nobody at all", pool_timeout=30)) as database:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="nobody at all"):
            database.fetch_value("SELECT 1")
        assert time.monotonic() - began < 10


@pytest.mark.fault
@pytest.mark.untimed
def test_a_switchover_fails_no_thread_and_the_new_primary_gets_the_writes() -> None:
    primary = PostgresServer()
    standby = None
    failed: list[BaseException] = []
    acknowledged: list[int] = []
    stop = threading.Event()
    numbers = itertools.count(1)

    def work(_: int) -> None:
        while not stop.is_set():
            number = next(numbers)
            try:
                database.run(lambda conn: conn.execute("INSERT INTO entry VALUES (%s)", [number]))  # noqa: B023
                acknowledged.append(number)
                database.fetch_value("SELECT count(*) FROM entry", read_only=True)
            except Exception as error:  # noqa: BLE001 - counted
                failed.append(error)
            time.sleep(0.005)

    try:
        primary.start()
        with psycopg.connect(primary.dsn().conninfo) as conn:
            conn.execute("CREATE TABLE entry (id int)")
        standby = primary.standby()
        both = primary.dsn().with_(hosts=primary.dsn().hosts + standby.dsn().hosts)
        with SyncDatabase(both) as database, recorded_events() as seen, ThreadPoolExecutor(4) as pool:
            workers = [pool.submit(work, number) for number in range(4)]
            time.sleep(0.5)
            primary.set_read_only()
            _replayed(primary, standby)
            standby.promote()
            promoted = len(acknowledged)
            _until(lambda: len(acknowledged) > promoted + 50)
            stop.set()
            for worker in workers:
                worker.result(30)
            assert [host.role for host in database.hosts()][1] == "primary"
        assert failed == []
        assert "FailedOver" in [type(event).__name__ for event in seen]
        with psycopg.connect(standby.dsn().conninfo) as conn:
            assert sorted(acknowledged) == [row[0] for row in conn.execute("SELECT id FROM entry ORDER BY id")]
    finally:
        stop.set()
        primary.stop()
        if standby is not None:
            standby.stop()


def _replayed(primary: PostgresServer, standby: PostgresServer) -> None:
    """Return when the standby has replayed what the primary has written."""
    with psycopg.connect(primary.dsn().conninfo) as conn:
        position = conn.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or ("",)
    with psycopg.connect(standby.dsn().conninfo, autocommit=True) as conn:
        query = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        _until(lambda: conn.execute(query, position).fetchone() == (True,))


# Exactly once


def test_conflicting_transactions_run_again_until_each_is_done(counter: SyncDatabase) -> None:
    def work(conn: SyncConnection) -> None:
        row = conn.execute("SELECT n FROM counter").fetchone()
        assert row is not None
        conn.execute("UPDATE counter SET n = %s", [row[0] + 1])

    with ThreadPoolExecutor(4) as pool:
        both = [
            pool.submit(counter.run, work, isolation=psycopg.IsolationLevel.SERIALIZABLE, attempts=100)
            for _ in range(24)
        ]
        for done in both:
            done.result(40)
    assert counter.fetch_value("SELECT n FROM counter") == 24


@pytest.mark.fault
@pytest.mark.untimed
def test_a_broken_connection_that_the_function_did_not_mind_commits_nothing(counter: SyncDatabase, dsn: Dsn) -> None:
    ran = 0

    def work(conn: SyncConnection) -> None:
        nonlocal ran
        ran += 1
        _count_up(conn)
        if ran == 1:
            _end_sessions(dsn)
            with suppress(psycopg.Error):
                conn.execute("SELECT 1")

    counter.run(work)
    assert (ran, counter.fetch_value("SELECT n FROM counter")) == (2, 1)


def test_attempts_have_an_end(counter: SyncDatabase) -> None:
    def work(conn: SyncConnection) -> None:
        raise psycopg.errors.SerializationFailure("again")

    with pytest.raises(SerializationConflict):
        counter.run(work, attempts=3)
    assert counter.retried == 2


@contextmanager
def _behind_proxy(dsn: Dsn, directory: Path) -> Iterator[tuple[SyncDatabase, FlakyProxy]]:
    ((host, port),) = dsn.hosts
    behind = dsn.with_(hosts=((str(directory), 5432),), connection_limit=2)
    with (
        FlakyProxy(f"{host}/.s.PGSQL.{port}", listen=directory / ".s.PGSQL.5432") as proxy,
        SyncDatabase(behind, min_size=1) as database,
    ):
        yield database, proxy


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.parametrize("lost", ["down", "up"])
def test_a_commit_whose_answer_is_lost_is_found_out_about(
    counter: SyncDatabase, dsn: Dsn, lost: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("p")
    ran = 0
    with _behind_proxy(dsn, directory) as (database, proxy):

        def cut() -> None:
            proxy.cut()
            proxy.heal()

        def work(conn: SyncConnection) -> None:
            nonlocal ran
            ran += 1
            _count_up(conn)
            if ran == 1:
                proxy.swallow("down") if lost == "down" else proxy.swallow("up")
                threading.Timer(0.5, cut).start()

        database.run(work)
    assert counter.fetch_value("SELECT n FROM counter") == 1
    assert ran == (1 if lost == "down" else 2), "what was committed is not run again"


@pytest.mark.fault
def test_a_commit_nobody_can_tell_about_is_unknown_with_its_xid(
    counter: SyncDatabase, dsn: Dsn, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with _behind_proxy(dsn.with_(pool_timeout=1.0), tmp_path_factory.mktemp("p")) as (database, proxy):

        def work(conn: SyncConnection) -> None:
            _count_up(conn)
            proxy.swallow("down")
            threading.Timer(0.2, proxy.stop).start()

        with pytest.raises(CommitUnknown) as caught:
            database.run(work)
    assert caught.value.xid is not None
    assert counter.fetch_value("SELECT n FROM counter") == 1


# Deadlines and interruptions


def test_a_write_in_a_read_only_transaction_is_the_callers_fault(counter: SyncDatabase) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="read-only transaction"):
        counter.run(_count_up, read_only=True)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), counter.transaction(read_only=True) as conn:
        _count_up(conn)
    refused = pytest.raises(psycopg.errors.ReadOnlySqlTransaction)
    with refused, counter.connection() as conn, conn.transaction():
        conn.execute("SET TRANSACTION READ ONLY")
        _count_up(conn)
    assert counter.stats().lost == 0, "no reason to give up any connection"


def test_a_deadline_ends_the_wait_for_the_server(counter: SyncDatabase, dsn: Dsn) -> None:
    def work(conn: SyncConnection) -> None:
        _count_up(conn)
        conn.execute("SELECT pg_sleep(60)")

    began = time.monotonic()
    with SyncDatabase(dsn.with_(statement_timeout=0)) as patient:
        with pytest.raises(DeadlineExceeded):
            patient.run(work, deadline=0.2)
        with deadline.within(0.2), pytest.raises(DeadlineExceeded):
            patient.run(work)
        with deadline.within(0.2), pytest.raises(DeadlineExceeded):
            patient.execute("SELECT pg_sleep(60)")
        assert patient.stats().in_use == 0
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    _until(lambda: counter.fetch_value(asleep) == 0)
    assert time.monotonic() - began < 30, "neither we nor the server sleep for a minute"
    assert counter.fetch_value("SELECT n FROM counter") == 0


@pytest.mark.fault
def test_a_ping_ends_although_the_server_hangs(postgres_server: PostgresServer) -> None:
    with SyncDatabase(postgres_server.dsn(), min_size=1) as database:
        with database.connection() as conn:
            backend = conn.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        try:
            began = time.monotonic()
            with pytest.raises(DatabaseUnavailable, match=r"no answer within 0\.2 s"):
                database.ping(timeout=0.2)
            assert time.monotonic() - began < 3
        finally:
            os.kill(backend, signal.SIGCONT)
        assert database.fetch_value("SELECT 1") == 1


@pytest.mark.parametrize("where", ["statement", "run", "queue", "transaction"])
def test_ctrl_c_leaves_nothing_borrowed(counter: SyncDatabase, dsn: Dsn, where: str) -> None:
    def sleep(conn: SyncConnection) -> None:
        _count_up(conn)
        conn.execute("SELECT pg_sleep(4)")

    def interrupted(database: SyncDatabase) -> None:
        if where == "statement":
            database.execute("SELECT pg_sleep(4)")
        elif where == "run":
            database.run(sleep)
        elif where == "transaction":
            with database.transaction() as conn:
                sleep(conn)
        else:
            with database.connection():
                database.fetch_value("SELECT 1")

    with SyncDatabase(dsn.with_(connection_limit=1)) as database:
        assert database.fetch_value("SELECT 1") == 1
        main = threading.main_thread().ident
        assert main is not None
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born ignoring it
        threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            interrupted(database)
        assert (database.stats().in_use, database.stats().waiting) == (0, 0)
        assert database.fetch_value("SELECT n FROM counter") == 0


# Beginning, end, fork


def test_opening_does_not_need_the_server_and_closing_ends_all_threads(dsn: Dsn) -> None:
    database = SyncDatabase(dsn, name="short")
    with pytest.raises(DatabaseUnavailable, match="is not open"):
        database.fetch_value("SELECT 1")
    database.open(wait=10)
    database.close()
    database.close()
    with pytest.raises(DatabaseUnavailable, match="is closed"):
        database.fetch_value("SELECT 1")
    assert not [thread.name for thread in threading.enumerate() if "pool short" in thread.name]


def test_draining_waits_for_running_work_and_turns_new_work_away(dsn: Dsn) -> None:
    database = SyncDatabase(dsn)
    database.open(wait=10)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(database.fetch_value, "SELECT 7 FROM pg_sleep(0.5)")
        _until(lambda: database.stats().in_use == 1)
        assert database.drain(20)
        assert running.result(1) == 7
    with pytest.raises(DatabaseUnavailable, match="is draining"):
        database.fetch_value("SELECT 1")
    database.close()


def test_closing_cuts_what_does_not_come_back(dsn: Dsn) -> None:
    database = SyncDatabase(dsn)
    database.open(wait=10)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(database.execute, "SELECT pg_sleep(4)")
        _until(lambda: database.stats().in_use == 1)
        assert not database.drain(0.05)
        database.close(0.05)
        with pytest.raises(DatabaseUnavailable):
            running.result(3)


def _backends(database: SyncDatabase) -> list[int]:
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    return [pid for (pid,) in database.fetch_all(query)]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_told_and_does_the_parent_no_harm(counter: SyncDatabase, tmp_path: Path) -> None:
    _until(lambda: counter.stats().idle == 2)
    mine = set(_backends(counter))
    said = tmp_path / "said"
    child = os.fork()
    if child == 0:
        try:
            counter.fetch_value("SELECT 1")
            said.write_text("it worked")
        except BaseException as error:  # noqa: BLE001 - the parent looks at it
            said.write_text(str(error))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert "before this process was forked" in said.read_text()
    assert set(_backends(counter)) == mine


def test_both_flavours_have_the_same_words() -> None:
    from esteio.postgres import Database

    def public(of: Any) -> set[str]:
        return {name for name in vars(of) if not name.startswith("_")}

    assert public(SyncDatabase) == public(Database)
