"""Everything has a limit, every limit is said: connections, waits, lifetimes, refusals, forks."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator

import psycopg
import pytest
from patience import until

from esteio.postgres import (
    AuthenticationFailed,
    Connection,
    Database,
    DatabaseMissing,
    DatabaseUnavailable,
    Dsn,
    TlsUnavailable,
)
from esteio.testing import FlakyProxy
from esteio.testing.postgres import PostgresServer


@pytest.fixture
def with_password(postgres_server: PostgresServer) -> Iterator[Dsn]:
    """The address of a role that needs the password `right`, over a port, through a proxy."""
    rules = postgres_server.embedded.data_dir / "pg_hba.conf"
    before = rules.read_text()
    (directory, port), *_ = postgres_server.dsn().hosts
    with psycopg.connect(postgres_server.dsn().conninfo, autocommit=True) as conn:
        conn.execute("DROP ROLE IF EXISTS guarded")
        conn.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
        rules.write_text("local all guarded scram-sha-256\n" + before)
        conn.execute("SELECT pg_reload_conf()")
    with FlakyProxy(f"{directory}/.s.PGSQL.{port}") as proxy:
        yield Dsn(hosts=(proxy.address,), user="guarded", password="right", database="postgres")
    rules.write_text(before)
    with psycopg.connect(postgres_server.dsn().conninfo, autocommit=True) as conn:
        conn.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"password": "wrong"}, AuthenticationFailed, "password authentication failed"),
        ({"database": "nowhere"}, DatabaseMissing, "nowhere"),
        ({"parameters": (("sslmode", "require"),)}, TlsUnavailable, "does not support SSL"),
    ],
)
async def test_what_waiting_does_not_mend_is_said_at_once_and_once_and_not_tried_on_and_on(
    with_password: Dsn,
    caplog: pytest.LogCaptureFixture,
    change: dict[str, object],
    kind: type[DatabaseUnavailable],
    message: str,
) -> None:
    async with Database(with_password.with_(**change)) as database:
        began = time.monotonic()
        for _ in range(20):
            with pytest.raises(kind, match=message) as caught:
                await database.fetch_value("SELECT 1", read_only=True)
            assert caught.value.retry_after is None
            assert "right" not in str(caught.value)
        assert time.monotonic() - began < 5.0, "nobody waits for pool_timeout"
        attempts = database.stats().connect_failures
        assert attempts <= 2 + (time.monotonic() - began)
    assert len([record for record in caplog.records if "cannot be reached" in record.message]) == 1


async def test_a_corrected_password_is_found_without_a_restart(
    with_password: Dsn, postgres_server: PostgresServer
) -> None:
    async with Database(with_password.with_(password="later")) as database:
        with pytest.raises(AuthenticationFailed):
            await database.fetch_value("SELECT 1")
        with psycopg.connect(postgres_server.dsn().conninfo, autocommit=True) as conn:
            conn.execute("ALTER ROLE guarded PASSWORD 'later'")
        await until(lambda: database.stats().idle > 0, 15.0)
        assert await database.fetch_value("SELECT 1") == 1


async def test_a_connection_that_idled_for_long_is_asked_and_one_that_did_not_is_trusted(
    with_password: Dsn,
) -> None:
    (host, port), *_ = with_password.hosts
    with FlakyProxy((host, int(port or 0))) as proxy:
        dsn = with_password.with_(hosts=(proxy.address,), connection_limit=1)
        async with Database(dsn, min_size=1, ping_after=0.2) as database:
            first = await database.fetch_value("SELECT pg_backend_pid()")
            assert await database.fetch_value("SELECT pg_backend_pid()") == first
            sent = proxy.passed["up"]
            await asyncio.sleep(0.3)
            assert await database.fetch_value("SELECT pg_backend_pid()") == first
            asked = proxy.passed["up"] - sent
            await asyncio.sleep(0.3)
            proxy.swallow()  # no end is told: a network that lost its memory of the connection
            waiting = asyncio.create_task(database.fetch_value("SELECT pg_backend_pid()"))
            await asyncio.sleep(0.5)
            proxy.heal()
            assert await waiting != first
            assert asked > 0
            assert database.stats().lost == 1


async def test_connections_end_after_their_lifetime_and_not_all_at_once(postgres_database: str) -> None:
    async with Database(postgres_database, min_size=4) as database:
        await until(lambda: database.stats().idle == 4)
        pool = database._pool
        expiries = {conn.expires_at for conn in pool._guarded.state.idle}
        now = time.monotonic()
        assert len(expiries) == 4
        assert all(now + 0.9 * 3600 - 60 < expiry < now + 3601 for expiry in expiries)
        before = {conn.pid for conn in pool._guarded.state.idle}
        for conn in pool._guarded.state.idle:
            conn.expires_at = 0.0
        # the pool looks after all once a second
        await until(
            lambda: len(kept := pool._guarded.state.idle) == 4 and before.isdisjoint({conn.pid for conn in kept})
        )


async def test_a_draining_database_refuses_new_work_and_waits_for_what_runs(postgres_database: str) -> None:
    async with Database(postgres_database) as database:
        began = asyncio.Event()

        async def work(conn: Connection) -> int:
            began.set()
            await conn.execute("SELECT pg_sleep(0.3)")
            return 5

        task = asyncio.create_task(database.run(work))
        await began.wait()
        assert not await database.drain(timeout=0.01)
        with pytest.raises(DatabaseUnavailable, match="is draining"):
            await database.fetch_value("SELECT 1")
        assert await database.drain(timeout=10.0)
        assert await task == 5
        assert database.stats().size == 0


async def test_every_session_has_its_limits(postgres_database: str) -> None:
    async with Database(Dsn.parse(postgres_database).with_(statement_timeout=1234)) as database:
        for setting, value in (
            ("statement_timeout", "1234ms"),
            ("lock_timeout", "1234ms"),
            ("idle_in_transaction_session_timeout", "30s"),
        ):
            assert await database.fetch_value("SELECT current_setting(%s)", [setting]) == value
        async with database.connection() as conn:
            parameters = conn.info.get_parameters()
    assert {name: parameters.get(name) for name in ("connect_timeout", "keepalives_idle", "tcp_user_timeout")} == {
        "connect_timeout": "3",
        "keepalives_idle": "10",
        "tcp_user_timeout": "10000",
    }


async def test_the_limits_of_sockets_reach_the_kernel(with_password: Dsn) -> None:
    socket = pytest.importorskip("socket")
    async with Database(with_password) as database, database.connection() as conn:
        with socket.socket(fileno=os.dup(conn.pgconn.socket)) as twin:
            assert twin.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
            assert twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 3
            assert twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3
            assert twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
async def test_a_forked_child_uses_no_socket_of_its_parent_and_opens_its_own(postgres_database: str) -> None:
    async with Database(postgres_database, min_size=1) as database:
        ours = await database.fetch_value("SELECT pg_backend_pid()")
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            _in_child(database, writer)
        os.close(writer)
        with os.fdopen(reader) as answer:
            said = await asyncio.wait_for(asyncio.to_thread(answer.read), 20.0)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        refused, theirs = said.split("\n")
        assert status == 0, said
        assert "opened before this process was forked" in refused
        assert int(theirs) != ours
        assert await database.fetch_value("SELECT pg_backend_pid()") == ours, "the child has not ended our session"


def _in_child(database: Database, writer: int) -> None:
    signal.alarm(15)
    status = 1

    async def look() -> str:
        try:
            await database.fetch_value("SELECT 1")
        except DatabaseUnavailable as error:
            refused = str(error)
        await database.open()
        pid = await database.fetch_value("SELECT pg_backend_pid()")
        await database.close()
        return f"{refused}\n{pid}"

    try:
        asyncio._set_running_loop(None)
        with asyncio.Runner() as runner:
            os.write(writer, runner.run(look()).encode())
        status = 0
    except BaseException as error:  # noqa: BLE001 - told to the parent
        os.write(writer, repr(error).encode())
    finally:
        os._exit(status)


async def test_statements_that_may_be_repeated_go_through_an_outage_and_others_say_what_happened(
    with_password: Dsn,
) -> None:
    (host, port), *_ = with_password.hosts
    with FlakyProxy((host, int(port or 0))) as proxy:
        async with Database(with_password.with_(hosts=(proxy.address,), pool_timeout=5.0)) as database:
            await database.fetch_value("SELECT 1")
            for repeat in ({"read_only": True}, {"idempotent": True}):
                running = asyncio.create_task(database.fetch_value("SELECT 5 FROM pg_sleep(0.3)", **repeat))
                await asyncio.sleep(0.15)
                proxy.cut()
                assert await running == 5
            running = asyncio.create_task(database.fetch_value("SELECT 5 FROM pg_sleep(0.3)"))
            await asyncio.sleep(0.15)
            proxy.cut()
            with pytest.raises(DatabaseUnavailable, match="closed the connection"):
                await running
            assert database.retried == 2
