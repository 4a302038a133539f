"""The server is restarted, killed and frozen under load: nothing fails, nothing is lost, nothing is done twice.

`ESTEIO_ROUNDS=200` kills as often, `ESTEIO_FROZEN=10` freezes for as many seconds; by default both are few.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
from flavours import BOTH
from patience import until

from esteio.policy import DeadlineExceeded
from esteio.postgres import (
    CommitResolved,
    CommitUnknown,
    Connection,
    Database,
    DatabaseUnavailable,
    Outcome,
    PoolExhausted,
)
from esteio.testing import FlakyProxy, recorded_events
from esteio.testing.load import Load
from esteio.testing.postgres import PostgresServer

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

ROUNDS = int(os.environ.get("ESTEIO_ROUNDS", "8"))
FROZEN = float(os.environ.get("ESTEIO_FROZEN", "2"))
ACCOUNTS = 6
RATE = 200.0


@pytest.fixture(scope="module")
def breakable() -> Iterator[PostgresServer]:
    server = PostgresServer(settings={"wal_writer_delay": "10s"})
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(breakable: PostgresServer) -> PostgresServer:
    breakable.thaw()
    breakable.start()
    with psycopg.connect(breakable.dsn().conninfo, autocommit=True) as conn:
        conn.execute("DROP TABLE IF EXISTS written, account, moved")
        conn.execute("CREATE TABLE written (id int PRIMARY KEY)")
        conn.execute("CREATE TABLE account (id int PRIMARY KEY, sum int NOT NULL)")
        conn.execute("INSERT INTO account SELECT id, 100 FROM generate_series(1, %s) id", [ACCOUNTS])
        conn.execute("CREATE TABLE moved (id text PRIMARY KEY)")
    return breakable


@pytest.mark.parametrize("fault", ["restart_at_once", "kill_backends"])
async def test_no_request_fails_while_the_server_restarts(server: PostgresServer, fault: str) -> None:
    numbers = itertools.count()

    async def read() -> None:
        await database.fetch_value("SELECT count(*) FROM account", read_only=True)

    async def write() -> None:
        number = next(numbers)
        await database.run(lambda conn: conn.execute("INSERT INTO written VALUES (%s)", [number]))

    async with Database(server.dsn(), min_size=10) as database:
        await until(lambda: database.stats().idle == 10)
        async with Load(lambda number: read() if number % 5 else write(), RATE) as load:
            for _ in range(2):
                await asyncio.sleep(0.6)
                await asyncio.to_thread(getattr(server, fault))
                accepting = await asyncio.to_thread(_accepts, server)
                await asyncio.sleep(0.6)
                success = load.first_success_after(accepting)
                print(f"\n{fault}: first success {success * 1000:.0f} ms after accepting")
                assert success < 2.0
        print(f"{len(load.answers)} requests, {len(load.failures)} failed, slowest {load.slowest:.2f} s")
        assert load.failures == []
        assert await database.fetch_value("SELECT count(*) FROM written") == next(numbers)
        assert database.stats().in_use == 0


def _accepts(server: PostgresServer) -> float:
    """When the server was found to accept connections."""
    while True:
        try:
            psycopg.connect(server.dsn().conninfo, connect_timeout=2).close()
        except psycopg.OperationalError:
            continue
        return time.monotonic()


@pytest.mark.untimed
async def test_transfers_under_kill_9_are_acknowledged_once_and_no_sum_is_lost(server: PostgresServer) -> None:
    chance = random.Random(7)
    acknowledged: set[str] = set()
    unknown: set[str] = set()
    running = True

    async def transfer(conn: Connection, key: str, source: int, target: int) -> None:
        for account, change in sorted(((source, -1), (target, 1))):
            await conn.execute("UPDATE account SET sum = sum + %s WHERE id = %s", [change, account])
        await conn.execute("INSERT INTO moved VALUES (%s)", [key])

    async def teller(name: int, database: Database) -> None:
        number = 0
        while running:
            number += 1
            key = f"{name}/{number}"
            source, target = chance.sample(range(1, ACCOUNTS + 1), 2)
            try:
                await database.run(partial(transfer, key=key, source=source, target=target))
                acknowledged.add(key)
            except CommitUnknown:
                unknown.add(key)

    async with Database(server.dsn(), min_size=10) as database:
        first: list[float] = []
        with recorded_events() as events:
            tellers = [asyncio.create_task(teller(name, database)) for name in range(8)]
            for _ in range(ROUNDS):
                await asyncio.sleep(chance.uniform(0.05, 0.4))
                before = len(acknowledged)
                await asyncio.to_thread(server.kill_backends)
                accepting = await asyncio.to_thread(_accepts, server)
                await until(lambda before=before: len(acknowledged) > before + 8, 30.0)  # type: ignore[misc]
                first.append(time.monotonic() - accepting)
            running = False
            await asyncio.gather(*tellers)
        moved = {key for (key,) in await database.fetch_all("SELECT id FROM moved")}
        total = await database.fetch_value("SELECT sum(sum) FROM account")
    resolved = [event.outcome for event in events if isinstance(event, CommitResolved)]
    print(
        f"\n{ROUNDS} rounds, {len(acknowledged)} transfers, {database.retried} retried, "
        f"lost commits: {resolved.count(Outcome.COMMITTED)} committed, {resolved.count(Outcome.ABORTED)} not, "
        f"{len(unknown)} unknown; 9th success {max(first) * 1000:.0f} ms after accepting at worst"
    )
    assert acknowledged <= moved, "an acknowledged transfer is lost"
    assert moved <= acknowledged | unknown, "a transfer that failed was done all the same"
    assert total == ACCOUNTS * 100
    assert not unknown, "on the same server every outcome can be known"


@pytest.mark.untimed
async def test_a_number_that_a_crash_gave_to_a_stranger_is_not_taken_for_our_commit(server: PostgresServer) -> None:
    (directory, port), *_ = server.dsn().hosts
    reused = False

    def stranger(xid: int) -> bool:
        """Take transaction ids until `xid` is gone; whether it was given out to us."""
        with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
            taken = 0
            while taken < xid:
                (text,) = conn.execute("SELECT pg_current_xact_id()::text").fetchone() or ("0",)
                taken = int(text)
        return taken == xid

    with FlakyProxy(f"{directory}/.s.PGSQL.{port}") as proxy:
        dsn = server.dsn().with_(hosts=(proxy.address,), parameters=(("sslmode", "disable"),))
        async with Database(dsn, min_size=1) as database:
            for number in range(1, 6):
                attempts = 0

                async def write(conn: Connection, number: int = number) -> None:
                    nonlocal attempts, reused
                    attempts += 1
                    await conn.execute("INSERT INTO written VALUES (%s)", [number])
                    if attempts > 1:
                        return
                    row = await (await conn.execute("SELECT pg_current_xact_id()::text")).fetchone()
                    proxy.cut_after(0, "up")  # the COMMIT that follows does not arrive
                    await asyncio.to_thread(server.kill_backends)
                    while True:
                        try:
                            reused = await asyncio.to_thread(stranger, int(row[0]) if row else 0)
                        except psycopg.OperationalError:  # it has yet to notice, or recovers
                            await asyncio.sleep(0.02)
                        else:
                            break
                    proxy.heal()

                with recorded_events() as events:
                    await database.run(write)
                assert [event.outcome for event in events if isinstance(event, CommitResolved)] == [Outcome.ABORTED]
                assert await database.fetch_value("SELECT count(*) FROM written WHERE id = %s", [number]) == 1
                if reused:
                    break
    assert reused, "the server did not give a lost number out again: nothing was tested"


@BOTH
async def test_a_frozen_server_answers_nobody_late_and_is_used_at_once_when_it_goes_on(
    server: PostgresServer, flavour: Any
) -> None:
    dsn = server.dsn().with_(connection_limit=5, pool_timeout=1.0, statement_timeout=500)
    async with flavour(dsn, min_size=5, max_waiting=50) as database:
        await until(lambda: database.stats().idle == 5)
        loop = asyncio.get_running_loop()

        async def timed(call: object) -> tuple[str, float]:
            began = loop.time()
            try:
                await call  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - which one is what is looked at
                return type(error).__name__, loop.time() - began
            return "answered", loop.time() - began

        async def write(conn: Connection) -> None:
            await conn.execute("INSERT INTO written VALUES (1) ON CONFLICT DO NOTHING")

        server.freeze()
        try:
            reads = [database.fetch_value("SELECT 1") for _ in range(3)]  # these get a connection
            writes = [database.run(write, deadline=0.8) for _ in range(20)]
            reads += [database.fetch_value("SELECT 1") for _ in range(40)]  # and these wait for one
            seen = await asyncio.gather(*(timed(call) for call in [*writes, *reads]))
            print(f"\nwhile frozen: slowest answer {max(took for _, took in seen):.2f} s")
            ours = {DeadlineExceeded, DatabaseUnavailable, PoolExhausted, CommitUnknown}
            assert {name for name, _ in seen} <= {kind.__name__ for kind in ours}
            assert max(took for _, took in seen[:20]) < 0.8 + 2.0
            assert max(took for _, took in seen[20:]) < 0.5 + 1.0 + 1.25 + 3.0
            assert database.stats().waiting == 0
            await asyncio.sleep(FROZEN)
        finally:
            server.thaw()
        began = loop.time()
        assert await database.fetch_value("SELECT 1", idempotent=True) == 1
        print(f"first answer {loop.time() - began:.2f} s after it went on")
        assert loop.time() - began < 5.0
        await until(lambda: database.stats().in_use == 0)
