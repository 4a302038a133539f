"""A COMMIT that the server acknowledges without its synchronous standby is no commit that anybody may count on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from flavours import BOTH
from patience import until

from esteio.postgres import CommitUnknown, Connection
from esteio.testing.postgres import PostgresServer

_WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Without the standby that it is told to wait for."""
    server = PostgresServer(settings={"synchronous_standby_names": "nobody"})
    try:
        server.start()
        with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
            conn.execute("SET synchronous_commit = local")
            conn.execute("CREATE TABLE written (n int)")
        yield server
    finally:
        server.stop()


async def cancelled_while_it_waits(server: PostgresServer, call: Any) -> BaseException | None:
    """How `call` ended, after somebody cancelled the wait for the standby on the server."""
    task = asyncio.ensure_future(call)

    def cancelled() -> bool:
        with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
            return conn.execute(f"SELECT bool_or(pg_cancel_backend(pid)) FROM ({_WAITING}) w").fetchone() == (True,)

    await until(cancelled)
    try:
        async with asyncio.timeout(20):
            await task
    except Exception as error:  # noqa: BLE001 - what is asked for
        return error
    return None


@BOTH
async def test_a_commit_whose_wait_was_cancelled_is_unknown_and_never_acknowledged(
    server: PostgresServer, flavour: Any
) -> None:
    async def insert(conn: Connection) -> None:
        await conn.execute("INSERT INTO written VALUES (1)")

    async def in_a_block() -> None:
        async with database.transaction() as conn:
            await insert(conn)

    async with flavour(server.dsn()) as database:
        statement = database.execute("INSERT INTO written VALUES (1)")
        for call in (database.run(insert), in_a_block(), statement):
            error = await cancelled_while_it_waits(server, call)
            assert isinstance(error, CommitUnknown)
            assert "standby was cancelled" in str(error)
        assert await database.fetch_value("SELECT count(*) FROM written WHERE n = 1") in (3, 6), "the server has them"
        async with database.transaction() as conn:  # what was said of another's commit is forgotten
            await conn.execute("SET LOCAL synchronous_commit = local")
            await insert_two(conn)


async def insert_two(conn: Connection) -> None:
    await conn.execute("INSERT INTO written VALUES (2)")
