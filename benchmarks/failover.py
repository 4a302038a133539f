"""Claim: while PostgreSQL restarts, loses its sessions, fails over or hangs, no request fails and no transfer is lost.

200 requests a second, 80 % reads and 20 % writes (`run`), on a pool of 10. Each fault comes in the middle of the
load: `pg_ctl restart -m immediate`, kill -9 of all sessions, a switchover between two servers (the old primary
goes on answering, read-only), a server that is frozen; then rounds of kill -9 under concurrent transfers between
accounts, after which every acknowledged transfer must be there once. The peers have the same load and the first
two faults. Times are seconds from the moment the server takes connections, or was promoted, or goes on.

Run: python -m benchmarks.failover [--rounds 200] [--frozen 10]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from benchmarks.report import Claim, publish

from esteio import Deadline, EsteioError, Pipeline
from esteio.postgres import CommitUnknown, Database, Dsn
from esteio.testing.load import Load
from esteio.testing.postgres import PostgresServer

RATE, POOL = 200, 10
BEFORE, AFTER = 1.0, 2.0  # seconds of load around a fault
PATIENCE = 2.0  # seconds that a caller of a frozen server waits
ACCOUNTS, BALANCE, WRITERS = 20, 1000, 8
SAFE = {"synchronous_commit": "on"}  # an acknowledged commit survives kill -9; the disk itself is not at stake
READ, WRITE = "SELECT n FROM counter WHERE id = 1", "UPDATE counter SET n = n + 1 WHERE id = 1"

Request = Callable[[int], Awaitable[object]]
Candidate = Callable[[Dsn], AbstractAsyncContextManager[Request]]


# -- candidates


@asynccontextmanager
async def esteio(dsn: Dsn) -> AsyncIterator[Request]:
    async with Database(dsn.with_(connection_limit=POOL), min_size=POOL) as db:
        await db.open(wait=10)
        yield requests(db)


def is_write(number: int) -> bool:
    return number % 5 == 0


def mixed(read: Callable[[], Awaitable[object]], write: Callable[[], Awaitable[object]]) -> Request:
    return lambda number: write() if is_write(number) else read()


def requests(db: Database, deadline: float | None = None) -> Request:
    async def write(conn: Any) -> None:
        await conn.execute(WRITE)

    async def read() -> Any:
        return await db.fetch_value(READ, read_only=True)

    if deadline is not None:
        read = Pipeline("read", Deadline(deadline), registry=None)(read)
    return mixed(read, lambda: db.run(write, deadline=deadline))


def psycopg_pool(check: bool) -> Candidate:
    @asynccontextmanager
    async def candidate(dsn: Dsn) -> AsyncIterator[Request]:
        from psycopg_pool import AsyncConnectionPool

        checked = AsyncConnectionPool.check_connection if check else None
        async with AsyncConnectionPool(dsn.conninfo, min_size=POOL, max_size=POOL, check=checked, open=False) as pool:

            async def read() -> None:
                async with pool.connection() as conn:
                    await (await conn.execute(READ)).fetchone()

            async def write() -> None:
                async with pool.connection() as conn:
                    await conn.execute(WRITE)

            yield mixed(read, write)

    return candidate


@asynccontextmanager
async def asyncpg_pool(dsn: Dsn) -> AsyncIterator[Request]:
    import asyncpg

    ((host, port),) = dsn.hosts
    pool = await asyncpg.create_pool(
        host=host, port=port, user=dsn.user, database=dsn.database, min_size=POOL, max_size=POOL
    )
    try:
        yield mixed(lambda: pool.fetchrow(READ), lambda: pool.execute(WRITE))
    finally:
        pool.terminate()


CANDIDATES: dict[str, Candidate] = {
    "esteio": esteio,
    "psycopg_pool": psycopg_pool(check=False),
    "psycopg_pool, check": psycopg_pool(check=True),
    "asyncpg.Pool": asyncpg_pool,
}


# -- faults under load


async def under_load(asked: Request, fault: Callable[[], Awaitable[float]]) -> tuple[Load, float]:
    """The load after `fault`, and when that returned: the moment at which the server was well again."""
    async with Load(asked, RATE) as running:
        await asyncio.sleep(BEFORE)
        well = await fault()
        await asyncio.sleep(AFTER)
    print(f"    {running.sent} requests, {dict(running.errors())}, slowest {running.slowest:.2f} s", flush=True)
    return running, well


async def restart(server: PostgresServer) -> float:
    await asyncio.to_thread(server.restart_at_once)
    return time.monotonic()


async def kill_backends(server: PostgresServer) -> float:
    await asyncio.to_thread(server.kill_backends)
    await asyncio.sleep(0.05)  # until the server has noticed
    await asyncio.to_thread(until_it_answers, server)
    return time.monotonic()


def until_it_answers(server: PostgresServer) -> None:
    while True:
        with suppress(psycopg.OperationalError), psycopg.connect(server.dsn().conninfo, connect_timeout=2):
            return
        time.sleep(0.005)


async def faults(server: PostgresServer) -> list[Claim]:
    claims = []
    for title, fault in (("restart -m immediate", restart), ("kill -9 of all sessions", kill_backends)):
        failed: dict[str, float] = {}
        success = float("inf")
        for name, candidate in CANDIDATES.items():
            print(f"{title}: {name}", flush=True)
            try:
                async with candidate(server.dsn()) as asked:
                    running, well = await under_load(asked, partial(fault, server))
            except ImportError:
                continue
            failed[name] = len(running.failures)
            if name == "esteio":
                success = running.first_success_after(well)
        ours = failed.pop("esteio")
        claims.append(Claim(f"{title}: failed", "requests", "lower", ours, failed, target=0))
        claims.append(Claim(f"{title}: first success", "ms", "lower", 1000 * success, target=100))
    return claims


async def switchover(primary: PostgresServer) -> list[Claim]:
    standby = await asyncio.to_thread(primary.standby)
    try:
        both = primary.dsn().with_(hosts=(*primary.dsn().hosts, *standby.dsn().hosts))

        async def fault() -> float:
            await asyncio.to_thread(primary.set_read_only)
            await asyncio.to_thread(until_it_has_all, standby, primary)
            await asyncio.to_thread(standby.promote)
            return time.monotonic()

        print("switchover", flush=True)
        async with esteio(both) as asked:
            running, promoted = await under_load(asked, fault)
        delay = 1000 * running.first_success_after(promoted, is_write)
        return [
            Claim("switchover: failed", "requests", "lower", len(running.failures), target=0),
            Claim("switchover: first write", "ms", "lower", delay, target=1000),
        ]
    finally:
        await asyncio.to_thread(standby.stop)


def until_it_has_all(standby: PostgresServer, primary: PostgresServer) -> None:
    with psycopg.connect(primary.dsn().conninfo) as conn:
        (end,) = conn.execute("SELECT pg_current_wal_flush_lsn()").fetchone() or ("",)
    with psycopg.connect(standby.dsn().conninfo, autocommit=True) as conn:
        while conn.execute("SELECT pg_last_wal_replay_lsn() < %s::pg_lsn", [end]).fetchone() != (False,):
            time.sleep(0.005)


async def frozen(server: PostgresServer, seconds: float) -> list[Claim]:
    most = 0

    async def fault() -> float:
        nonlocal most
        server.freeze()
        try:
            for _ in range(int(seconds * 20)):
                await asyncio.sleep(0.05)
                most = max(most, running.under_way)
        finally:
            server.thaw()
        return time.monotonic()

    print(f"frozen for {seconds:g} s", flush=True)
    async with Database(server.dsn().with_(connection_limit=POOL), min_size=POOL) as db:
        await db.open(wait=10)
        asked = requests(db, deadline=PATIENCE)
        async with Load(asked, RATE) as running:
            await asyncio.sleep(BEFORE)
            well = await fault()
            await asyncio.sleep(AFTER)
    print(f"    {running.sent} requests, {dict(running.errors())}, most under way {most}", flush=True)
    late = max(0.0, running.slowest - PATIENCE)
    return [
        Claim("frozen: answer after the deadline", "ms", "lower", 1000 * late, target=500),
        Claim("frozen: requests under way", "requests", "lower", most, target=RATE * (PATIENCE + 1)),
        Claim("frozen: first success", "ms", "lower", 1000 * running.first_success_after(well), target=1000),
    ]


# -- transfers


@dataclass
class Transfers:
    """Transfers between accounts, and what their callers were told."""

    db: Database
    acknowledged: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    refused: int = 0
    number: int = 0

    async def writer(self, until: asyncio.Event) -> None:
        while not until.is_set():
            self.number += 1
            number = self.number
            giver, taker = random.sample(range(ACCOUNTS), 2)

            async def transfer(conn: Any, number: int = number, giver: int = giver, taker: int = taker) -> None:
                await conn.execute("INSERT INTO ledger VALUES (%s, %s, %s)", [number, giver, taker])
                for account, amount in sorted([(giver, -1), (taker, 1)]):
                    await conn.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [amount, account])

            try:
                await self.db.run(transfer)
            except CommitUnknown:
                self.unknown.add(number)
            except (EsteioError, psycopg.Error):
                self.refused += 1
            else:
                self.acknowledged.add(number)

    async def verdict(self) -> tuple[int, int, int]:
        """How many acknowledged transfers are missing, how many were applied twice, and the error of the sum."""
        rows = await self.db.fetch_all("SELECT number, count(*) FROM ledger GROUP BY number")
        counts: dict[int, int] = dict(rows)
        balances: dict[int, int] = dict(await self.db.fetch_all("SELECT id, balance FROM account"))
        moves = await self.db.fetch_all("SELECT giver, taker FROM ledger")
        for giver, taker in moves:
            balances[giver] += 1
            balances[taker] -= 1
        wrong = sum(abs(balance - BALANCE) for balance in balances.values())
        return len(self.acknowledged - set(counts)), sum(count > 1 for count in counts.values()), wrong


async def transfers(server: PostgresServer, rounds: int) -> list[Claim]:
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
        conn.execute("CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL)")
        conn.execute("INSERT INTO account SELECT n, %s FROM generate_series(0, %s) n", [BALANCE, ACCOUNTS - 1])
        conn.execute("CREATE TABLE ledger (number int NOT NULL, giver int NOT NULL, taker int NOT NULL)")
    print(f"{rounds} rounds of kill -9 under transfers", flush=True)
    async with Database(server.dsn().with_(connection_limit=POOL), min_size=POOL) as db:
        await db.open(wait=10)
        work, end = Transfers(db), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(work.writer(end))
            for _ in range(rounds):
                await asyncio.sleep(random.uniform(0.05, 0.4))
                await kill_backends(server)
            await asyncio.sleep(0.5)
            end.set()
        missing, twice, wrong = await work.verdict()
        print(f"    {len(work.acknowledged)} acknowledged, {work.refused} refused, {db.stats()}", flush=True)
    return [
        Claim("kill -9: acknowledged, not there", "transfers", "lower", missing, target=0),
        Claim("kill -9: applied twice", "transfers", "lower", twice, target=0),
        Claim("kill -9: error of the balances", "units", "lower", wrong, target=0),
        Claim("kill -9: CommitUnknown", "transfers", "lower", len(work.unknown), target=0),
    ]


async def measure(server: PostgresServer, rounds: int, seconds: float) -> list[Claim]:
    return [
        *await faults(server),
        *await frozen(server, seconds),
        *await transfers(server, rounds),
        *await switchover(server),
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=200)
    arguments.add_argument("--frozen", type=float, default=10.0)
    options = arguments.parse_args()
    server = PostgresServer(settings=SAFE)
    try:
        server.start()
        with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
            conn.execute("CREATE TABLE counter (id int PRIMARY KEY, n bigint NOT NULL)")
            conn.execute("INSERT INTO counter VALUES (1, 0)")
        claims = asyncio.run(measure(server, options.rounds, options.frozen))
    finally:
        server.stop()
    publish("failover", claims, ("asyncpg", "psycopg", "psycopg-pool"))


if __name__ == "__main__":
    main()
