"""A caller with a deadline gets its answer by then, and leaves nothing running on a server that lives."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from esteio import Deadline, DeadlineExceeded, Pipeline
from esteio.postgres import Database, Dsn
from esteio.testing.postgres import PostgresServer

_SLEEPERS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(33)' AND state = 'active' AND pid <> %s"


async def test_a_statement_whose_time_is_up_is_stopped_on_the_server(postgres_database: str) -> None:
    short = Pipeline("short", Deadline(0.3), registry=None)
    async with Database(Dsn.parse(postgres_database).with_(connection_limit=2)) as database:
        for _ in range(3):
            with pytest.raises(DeadlineExceeded):
                await short.acall(database.fetch_value, "SELECT 1 FROM pg_sleep(33)")
            assert await database.fetch_value(_SLEEPERS, [0]) == 0
        assert database.stats().in_use == 0


@pytest.fixture
def frozen() -> Iterator[PostgresServer]:
    """A server of its own, which a test may freeze."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.mark.fault
async def test_a_server_that_hangs_makes_nobody_wait_beyond_his_deadline(frozen: PostgresServer) -> None:
    short = Pipeline("short", Deadline(0.5), registry=None)
    async with Database(frozen.dsn().with_(connection_limit=2)) as database:
        assert await database.fetch_value("SELECT 1") == 1
        frozen.freeze()
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await short.acall(database.fetch_value, "SELECT 1")
        assert time.monotonic() - began < 1.4, "a request to cancel was waited for"
        frozen.thaw()
        assert await database.fetch_value("SELECT 1", read_only=True) == 1
        assert database.stats().in_use == 0
