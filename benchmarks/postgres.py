"""Claim: a checked connection costs what an unchecked one costs elsewhere, and a third of a checked one.

`acquire`: borrow, SELECT 1, give back, with pools of 10 that are kept open, in calls per second; the target
is 0.95 x psycopg_pool without check or 3 x psycopg_pool with check, whichever is more. `run one write`: one
UPDATE in a transaction that survives the loss of its connection, against the same written by hand with
psycopg_pool, which does not. `threads`: borrow, SELECT 1, give back by 1, 4 and 16 threads on 8 connections, against
psycopg_pool, whose rate is the target; its rate with the same limits in its sessions is shown too, as a
statement_timeout costs the server a timer for each statement. The server has fsync off, so that nothing but the
clients is compared. Rounds are short and take turns; the median is shown. Peers that are not installed are left out.

Run: python -m benchmarks.postgres [rounds]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from time import perf_counter
from typing import Any

import psycopg
from benchmarks.report import Claim, publish

from esteio.postgres import Database, Dsn
from esteio.postgres.sync import SyncDatabase
from esteio.testing.postgres import PostgresServer

POOL = 10
SECONDS = 0.15  # about that long is a candidate measured in each round
OURS, UNCHECKED, CHECKED = "esteio", "psycopg_pool", "psycopg_pool, check"
PEERS = ("asyncpg", "psycopg", "psycopg-pool", "sqlalchemy")

Call = Callable[[], Awaitable[object]]
UPDATE = "UPDATE counter SET n = n + 1 WHERE id = %s"


# -- candidates: each yields a call that borrows, asks and gives back


@asynccontextmanager
async def esteio(dsn: Dsn) -> AsyncIterator[Call]:
    async with Database(dsn.with_(connection_limit=POOL), min_size=POOL) as db:
        await db.open(wait=10)

        async def call() -> None:
            async with db.connection() as conn:
                await (await conn.execute("SELECT 1")).fetchone()

        yield call


def psycopg_pool(check: bool) -> Callable[[Dsn], Any]:
    @asynccontextmanager
    async def candidate(dsn: Dsn) -> AsyncIterator[Call]:
        async with _psycopg_pool(dsn, check) as pool:

            async def call() -> None:
                async with pool.connection() as conn:
                    await (await conn.execute("SELECT 1")).fetchone()

            yield call

    return candidate


def _psycopg_pool(dsn: Dsn, check: bool = False) -> Any:
    from psycopg_pool import AsyncConnectionPool

    return AsyncConnectionPool(
        dsn.conninfo, min_size=POOL, max_size=POOL, kwargs={"autocommit": True, "prepare_threshold": 0},
        check=AsyncConnectionPool.check_connection if check else None, open=False,
    )  # fmt: skip


@asynccontextmanager
async def asyncpg_pool(dsn: Dsn) -> AsyncIterator[Call]:
    import asyncpg

    ((host, port),) = dsn.hosts
    async with asyncpg.create_pool(
        host=host, port=port, user=dsn.user, database=dsn.database, min_size=POOL, max_size=POOL
    ) as pool:

        async def call() -> None:
            async with pool.acquire() as conn:
                await conn.fetchrow("SELECT 1")

        yield call


def sqlalchemy(driver: str) -> Callable[[Dsn], Any]:
    @asynccontextmanager
    async def candidate(dsn: Dsn) -> AsyncIterator[Call]:
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import create_async_engine

        __import__(driver)
        ((host, port),) = dsn.hosts
        url = f"postgresql+{driver}://{dsn.user}@/{dsn.database}?host={host}&port={port}"
        engine = create_async_engine(url, pool_size=POOL, max_overflow=0)
        question = text("SELECT 1")

        async def call() -> None:
            async with engine.connect() as conn:
                (await conn.execute(question)).fetchone()

        try:
            yield call
        finally:
            await engine.dispose()

    return candidate


ACQUIRE: dict[str, Callable[[Dsn], Any]] = {
    OURS: esteio,
    UNCHECKED: psycopg_pool(check=False),
    CHECKED: psycopg_pool(check=True),
    "asyncpg.Pool": asyncpg_pool,
    "SQLAlchemy + asyncpg": sqlalchemy("asyncpg"),
    "SQLAlchemy + psycopg": sqlalchemy("psycopg"),
}


@asynccontextmanager
async def esteio_run(dsn: Dsn) -> AsyncIterator[Call]:
    async with Database(dsn.with_(connection_limit=POOL), min_size=POOL) as db:
        await db.open(wait=10)

        async def write(conn: Any) -> None:
            await conn.execute(UPDATE, [1])

        yield lambda: db.run(write)


@asynccontextmanager
async def written_by_hand(dsn: Dsn) -> AsyncIterator[Call]:
    async with _psycopg_pool(dsn) as pool:

        async def call() -> None:
            async with pool.connection() as conn, conn.transaction():
                await conn.execute(UPDATE, [1])

        yield call


WRITE: dict[str, Callable[[Dsn], Any]] = {OURS: esteio_run, "by hand": written_by_hand}


# -- candidates for threads


THREADS_POOL = 8
PLAIN, LIMITED = "psycopg_pool", "psycopg_pool, same limits"


@contextmanager
def esteio_threads(dsn: Dsn) -> Iterator[Callable[[], object]]:
    with SyncDatabase(dsn.with_(connection_limit=THREADS_POOL), min_size=THREADS_POOL) as db:
        db.open(wait=10)

        def call() -> None:
            with db.connection() as conn:
                conn.execute("SELECT 1").fetchone()

        yield call


def psycopg_pool_threads(options: str) -> Callable[[Dsn], Any]:
    @contextmanager
    def candidate(dsn: Dsn) -> Iterator[Callable[[], object]]:
        from psycopg_pool import ConnectionPool

        kwargs = {"autocommit": True, "prepare_threshold": 0, "options": options}
        with ConnectionPool(dsn.conninfo, min_size=THREADS_POOL, max_size=THREADS_POOL, kwargs=kwargs) as pool:
            pool.wait()

            def call() -> None:
                with pool.connection() as conn:
                    conn.execute("SELECT 1").fetchone()

            yield call

    return candidate


SAME_LIMITS = "-c statement_timeout=5000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=30000"
THREADS: dict[str, Callable[[Dsn], Any]] = {
    OURS: esteio_threads,
    LIMITED: psycopg_pool_threads(SAME_LIMITS),
    PLAIN: psycopg_pool_threads(""),
}


# -- measuring


def rate_of_threads(call: Callable[[], object], number: int) -> float:
    """Calls per second of `number` threads that call as fast as they can."""
    done = [0] * number
    ready = threading.Barrier(number + 1)
    ends = 0.0

    def work(index: int) -> None:
        ready.wait()
        while perf_counter() < ends:
            call()
            done[index] += 1

    threads = [threading.Thread(target=work, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    began = perf_counter()
    ends = began + SECONDS
    ready.wait()
    for thread in threads:
        thread.join()
    return sum(done) / (perf_counter() - began)


def measure_threads(dsn: Dsn, number: int, rounds: int) -> dict[str, float]:
    """The median rate of each candidate that is installed."""
    seen: dict[str, list[float]] = {}
    with ExitStack() as stack:
        calls: dict[str, Callable[[], object]] = {}
        for name, candidate in THREADS.items():
            try:
                calls[name] = stack.enter_context(candidate(dsn))
            except ImportError:
                print(f"({name} is not installed)")
        for round_ in range(rounds + 2):
            for name, call in calls.items():
                figure = rate_of_threads(call, number)
                if round_ >= 2:  # the first rounds warm up
                    seen.setdefault(name, []).append(figure)
    return {name: statistics.median(figures) for name, figures in seen.items()}


async def rate(call: Call, callers: int) -> float:
    """Calls per second of `callers` that call as fast as they can."""
    done = 0
    began = perf_counter()

    async def caller() -> None:
        nonlocal done
        while perf_counter() - began < SECONDS:
            await call()
            done += 1

    await asyncio.gather(*(caller() for _ in range(callers)))
    return done / (perf_counter() - began)


async def measure(dsn: Dsn, candidates: dict[str, Callable[[Dsn], Any]], callers: int, rounds: int) -> dict[str, float]:
    """The median rate of each candidate that is installed."""
    seen: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        calls: dict[str, Call] = {}
        for name, candidate in candidates.items():
            try:
                calls[name] = await stack.enter_async_context(candidate(dsn))
            except ImportError:
                print(f"({name} is not installed)")
        for number in range(rounds + 2):
            for name, call in calls.items():
                figure = await rate(call, callers)
                if number >= 2:  # the first rounds warm up
                    seen.setdefault(name, []).append(figure)
    return {name: statistics.median(figures) for name, figures in seen.items()}


async def claims(dsn: Dsn, rounds: int) -> list[Claim]:
    found = []
    for title, callers in (("acquire 1 caller", 1), ("acquire 32 callers", 32)):
        figures = await measure(dsn, ACQUIRE, callers, rounds)
        ours = figures.pop(OURS)
        target = max(0.95 * figures.get(UNCHECKED, 0.0), 3.0 * figures.get(CHECKED, 0.0))
        found.append(Claim(title, "calls/s", "higher", ours, figures, target=target))
    figures = await measure(dsn, WRITE, 1, rounds)
    ours = figures.pop(OURS)
    found.append(Claim("run one write", "calls/s", "higher", ours, figures, target=0.9 * figures["by hand"]))
    for number in (1, 4, 16):
        figures = await asyncio.to_thread(measure_threads, dsn, number, rounds)
        ours = figures.pop(OURS)
        target = figures.get(PLAIN)
        found.append(Claim(f"threads {number}", "calls/s", "higher", ours, figures, target=target))
    return found


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    server = PostgresServer()
    try:
        server.start()
        dsn = server.dsn()
        with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
            conn.execute("CREATE TABLE counter (id int PRIMARY KEY, n bigint NOT NULL)")
            conn.execute("INSERT INTO counter VALUES (1, 0)")
        measured = asyncio.run(claims(dsn, rounds))
    finally:
        server.stop()
    publish("postgres", measured, PEERS)


if __name__ == "__main__":
    main()
