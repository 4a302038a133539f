"""Behind Debian's PgBouncer, in each of its modes, every limit is in force or it is said that it is not."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from esteio.postgres import Connection, Database, DatabaseUnavailable, Dsn, StatementTimeout
from esteio.postgres._pooler import settings_of
from esteio.postgres._session import session_conninfo
from esteio.postgres.sync import SyncConnection, SyncDatabase
from esteio.testing.postgres import PostgresServer

PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
pytestmark = [
    pytest.mark.skipif(not Path(PROGRAM).exists(), reason="needs Debian's pgbouncer: apt-get install pgbouncer"),
    pytest.mark.timeout(60),
]
REFUSES, IGNORES = "", "options"
LIMITS = {"statement_timeout": "1234ms", "lock_timeout": "1234ms", "idle_in_transaction_session_timeout": "30s"}
ASK = "SELECT " + ", ".join(f"current_setting('{name}')" for name in LIMITS)

Start = Callable[..., Dsn]


@pytest.fixture
def start(postgres_server: PostgresServer, postgres_database: str, tmp_path: Path) -> Iterator[Start]:
    """A function that starts a PgBouncer in front of a database and returns its address."""
    ((directory, port),) = postgres_server.dsn().hosts
    account = postgres_server.embedded.account
    running: list[subprocess.Popen[bytes]] = []

    def begin(mode: str, ignored: str = REFUSES) -> Dsn:
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            own = probe.getsockname()[1]
        home = tmp_path / f"pgbouncer-{own}"
        home.mkdir()
        (home / "users.txt").write_text('"postgres" ""\n')
        (home / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={directory} port={port or 5432}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {own}\nauth_type = trust\nauth_file = {home}/users.txt\nunix_socket_dir =\n"
            f"pool_mode = {mode}\ndefault_pool_size = 3\nserver_round_robin = 1\n"
            + (f"ignore_startup_parameters = {ignored}\n" if ignored else "")
        )
        for path in (home, *home.iterdir(), *(parent for parent in home.parents if parent.is_relative_to("/tmp"))):
            path.chmod(path.stat().st_mode | 0o555)
        running.append(
            subprocess.Popen([PROGRAM, "-q", str(home / "pgbouncer.ini")], stderr=subprocess.DEVNULL, **account.popen)
        )
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", own), timeout=1).close()
                break
            except OSError:
                time.sleep(0.02)
        return Dsn.parse(postgres_database).with_(
            hosts=(("127.0.0.1", own),), statement_timeout=1234, connection_limit=4, pool_timeout=10.0
        )

    yield begin
    for process in running:
        process.terminate()
        process.wait(20)


async def work(conn: Connection) -> Any:
    return await (await conn.execute(ASK)).fetchone()


def threaded_work(conn: SyncConnection) -> Any:
    return conn.execute(ASK).fetchone()


@pytest.mark.parametrize("ignored", [REFUSES, IGNORES])
async def test_in_session_mode_every_limit_is_in_force_also_after_a_reset(start: Start, ignored: str) -> None:
    async with Database(start("session", ignored), min_size=1, pooler="session") as database:
        assert await database.fetch_one(ASK) == tuple(LIMITS.values())
        assert await database.run(work) == tuple(LIMITS.values())
        async with database.connection() as conn:
            await conn.execute("SET statement_timeout = 0")
        assert await database.fetch_one(ASK) == tuple(LIMITS.values())
        with pytest.raises(StatementTimeout):
            await database.execute("SELECT pg_sleep(5)")
        assert (database.stats().connect_failures, database.stats().lost) == (0, 0)


@pytest.mark.parametrize("ignored", [REFUSES, IGNORES])
async def test_in_transaction_mode_transactions_have_every_limit_and_the_rest_is_said(
    start: Start, ignored: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Database(start("transaction", ignored)) as database:
        for _ in range(3):
            assert await database.run(work) == tuple(LIMITS.values())
            async with database.transaction() as conn:
                assert await work(conn) == tuple(LIMITS.values())
        results = await asyncio.gather(*(database.fetch_value("SELECT %s::int", [n]) for n in range(60)))
        assert results == list(range(60)), "prepared statements are off"
        with pytest.raises(StatementTimeout):
            await database.run(lambda conn: conn.execute("SELECT pg_sleep(5)"))
        assert database.stats().connect_failures == 0
    said = [record.getMessage() for record in caplog.records if "behind a connection pooler" in record.getMessage()]
    assert len(said) == 1
    assert ", ".join(LIMITS) in said[0]
    assert "pooler='session'" in said[0]


async def test_limits_that_the_role_has_itself_are_in_force_everywhere_and_nothing_is_said(
    start: Start, postgres_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(postgres_database, autocommit=True) as conn:
        for name, value in LIMITS.items():
            conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {name} = '{value}'")  # type: ignore[arg-type]
    async with Database(start("transaction")) as database:
        assert await database.fetch_one(ASK) == tuple(LIMITS.values())
        with pytest.raises(StatementTimeout):
            await database.execute("SELECT pg_sleep(5)")
    assert "behind a connection pooler" not in caplog.text


async def test_a_setting_of_our_own_that_would_not_be_in_force_is_an_error_at_once(start: Start) -> None:
    async with Database(start("transaction"), settings={"role": "pg_monitor"}) as database:
        with pytest.raises(DatabaseUnavailable, match="role would not be in force for single statements"):
            await database.fetch_value("SELECT current_user")
    async with Database(start("session"), settings={"role": "pg_monitor"}, pooler="session") as database:
        assert await database.fetch_value("SELECT current_user") == "pg_monitor"


@pytest.mark.parametrize("mode", ["session", "transaction"])
@pytest.mark.parametrize("ignored", [REFUSES, IGNORES])
def test_threads_have_the_same_limits(start: Start, mode: str, ignored: str) -> None:
    pooler = "session" if mode == "session" else None
    with SyncDatabase(start(mode, ignored), pooler=pooler) as database:
        for _ in range(10):
            assert database.run(threaded_work) == tuple(LIMITS.values())
            assert database.fetch_value("SELECT %s::int", [5]) == 5
        if mode == "session":
            assert database.fetch_one(ASK) == tuple(LIMITS.values())
        with pytest.raises(StatementTimeout):
            database.run(lambda conn: conn.execute("SELECT pg_sleep(5)"))
        assert database.stats().connect_failures == 0


async def test_a_commit_behind_a_pooler_can_still_be_looked_up(start: Start) -> None:
    async with Database(start("transaction")) as database, database.transaction() as conn:
        assert conn.lent == "transaction"
        assert conn.life is None
        assert conn.knows_origin


def test_without_a_pooler_nothing_changes(postgres_database: str) -> None:
    with SyncDatabase(postgres_database) as database, database.connection() as conn:
        assert (conn.lent, conn.limits, conn.prepare_threshold) == (None, b"", 0)


@pytest.mark.parametrize("kind", [Database, SyncDatabase])
def test_a_mode_that_does_not_exist_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"pooler='statement'; allowed: None \(found out\), 'session', 'transaction'"):
        kind("postgresql:///app", pooler="statement")


def test_the_settings_of_a_session_are_read_back_from_its_options() -> None:
    dsn = Dsn.parse("postgresql:///app?options=-c%20work_mem=1MB%20--geqo=off&statement_timeout=7")
    settings = settings_of(session_conninfo(dsn, "me", {"search_path": r"a b,c\d"}))
    assert settings == {
        "statement_timeout": "7",
        "lock_timeout": "7",
        "idle_in_transaction_session_timeout": "30000",
        "work_mem": "1MB",
        "geqo": "off",
        "search_path": r"a b,c\d",
    }
