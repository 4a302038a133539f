"""Clients of the pool while the server is broken in random ways: what they saw is linearizable, nothing is lost or doubled.

`ESTEIO_HISTORIES=200` breaks it as often, `ESTEIO_HISTORY_SECONDS=600` for at most so long; by default it is a few times.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import pytest

from esteio.drill.history import Known, NoRecovery, break_and_check
from esteio.postgres import Connection, Database
from esteio.testing.postgres import PostgresServer

ROUNDS = int(os.environ.get("ESTEIO_HISTORIES", "6"))
WITHIN = float(os.environ.get("ESTEIO_HISTORY_SECONDS", "inf"))
ACCOUNTS = 5


class Bank:
    """Registers, a set and accounts in PostgreSQL, through the pool."""

    accounts = range(1, ACCOUNTS + 1)
    total = ACCOUNTS * 100

    def __init__(self, database: Database, rng: random.Random) -> None:
        self._db = database
        self._rng = rng
        self._numbers = itertools.count()

    async def registers(self, count: int) -> Mapping[str, Any]:
        names = [f"r{next(self._numbers)}" for _ in range(count)]
        await self._db.run(lambda conn: conn.execute("INSERT INTO register SELECT unnest(%s::text[]), '0'", [names]))
        return dict.fromkeys(names, "0")

    async def read(self, register: object) -> Any:
        return await self._db.fetch_value("SELECT value FROM register WHERE id = %s", [register])

    async def write(self, register: object, value: str) -> None:
        await self._db.run(lambda conn: conn.execute("UPDATE register SET value = %s WHERE id = %s", [value, register]))

    async def compare_and_set(self, register: object, expected: Any, value: str) -> None:
        async def change(conn: Connection) -> int:
            statement = "UPDATE register SET value = %s WHERE id = %s AND value = %s"
            return (await conn.execute(statement, [value, register, expected])).rowcount

        if not await self._db.run(change):
            raise Known

    async def add(self, element: str) -> None:
        # No key makes it unique: that it is there once is for `run` to see to.
        await self._db.run(lambda conn: conn.execute("INSERT INTO element VALUES (%s)", [element]))

    async def elements(self) -> Sequence[str]:
        return [value for (value,) in await self._db.fetch_all("SELECT value FROM element")]

    async def transfer(self) -> None:
        source, target = self._rng.sample(self.accounts, 2)

        async def move(conn: Connection) -> None:
            for account, change in sorted(((source, -1), (target, 1))):
                statement = "UPDATE account SET held = held + %s WHERE id = %s AND held + %s >= 0"
                if not (await conn.execute(statement, [change, account, change])).rowcount:
                    raise Known  # nothing there to give: rolled back

        await self._db.run(move)

    async def balances(self) -> Mapping[int, int]:
        return dict(await self._db.fetch_all("SELECT id, held FROM account"))


def _prepare(server: PostgresServer) -> None:
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
        conn.execute("CREATE TABLE register (id text PRIMARY KEY, value text NOT NULL)")
        conn.execute("CREATE TABLE element (value text NOT NULL)")
        conn.execute("CREATE TABLE account (id int PRIMARY KEY, held int NOT NULL)")
        conn.execute("INSERT INTO account SELECT id, 100 FROM generate_series(1, %s) id", [ACCOUNTS])


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(120 + 10 * ROUNDS)
async def test_what_clients_of_the_pool_see_under_random_faults_is_what_one_server_without_faults_says(capsys) -> None:
    rng = random.Random(int(os.environ.get("ESTEIO_SEED", "5")))
    server = PostgresServer(settings={"wal_writer_delay": "10s"})

    async def sessions_killed() -> None:
        with contextlib.suppress(psycopg.OperationalError):  # the other fault of the round came first
            await asyncio.to_thread(server.kill_backends)

    async def killed() -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

    async def frozen() -> None:
        await asyncio.to_thread(server.freeze)
        try:
            await asyncio.sleep(rng.uniform(0.05, 0.5))
        finally:
            await asyncio.to_thread(server.thaw)

    try:
        await asyncio.to_thread(server.start)
        _prepare(server)
        faults = {"sessions killed": sessions_killed, "server killed": killed, "server frozen": frozen}
        async with Database(server.dsn(), min_size=4) as database:
            seen = await break_and_check(Bank(database, rng), faults, rounds=ROUNDS, within=WITHIN, rng=rng)
    finally:
        await asyncio.to_thread(server.stop)
    with capsys.disabled():
        print(f"\n    {seen}")
    assert seen.holds, seen.problems
    assert seen.acknowledged > ROUNDS


class Memory:
    """A service in this process that keeps its word, unless it is told in which way not to."""

    accounts = ("a", "b")
    total = 20

    def __init__(self, vice: str = "") -> None:
        self._vice = vice
        self._values: dict[Any, str] = {}
        self._before: dict[Any, str] = {}
        self._elements: Counter[str] = Counter()
        self._held = {"a": 10, "b": 10}
        self._numbers = itertools.count()

    async def fail(self) -> None:
        """The fault: what a service that is not durable forgets."""
        if self._vice == "forgets":
            for element in list(self._elements)[-3:]:
                del self._elements[element]
        if self._vice == "goes back":
            self._values |= self._before

    async def registers(self, count: int) -> Mapping[int, str]:
        names = [next(self._numbers) for _ in range(count)]
        self._values |= dict.fromkeys(names, "0")
        return dict.fromkeys(names, "0")

    async def read(self, register: Any) -> str:
        await asyncio.sleep(0)
        return self._values[register]

    async def write(self, register: Any, value: str) -> None:
        await asyncio.sleep(0)
        self._set(register, value)

    def _set(self, register: Any, value: str) -> None:
        self._before[register] = self._values[register]
        self._values[register] = value

    async def compare_and_set(self, register: Any, expected: Any, value: str) -> None:
        await asyncio.sleep(0)
        if self._values[register] != expected:
            if self._vice == "refuses and does":
                self._values[register] = value
            raise Known
        self._set(register, value)

    async def add(self, element: str) -> None:
        await asyncio.sleep(0)
        self._elements[element] += 2 if self._vice == "doubles" else 1

    async def elements(self) -> Sequence[str]:
        return list(self._elements.elements())

    async def transfer(self) -> None:
        self._held["a"] -= 1
        if self._vice == "half a transfer":
            await asyncio.sleep(0)
        self._held["b"] += 1
        self._held = {"a": 10, "b": 10} if self._held["a"] < 1 else self._held

    async def balances(self) -> Mapping[str, int]:
        return dict(self._held)


@pytest.mark.parametrize("vice", ["", "forgets", "goes back", "refuses and does", "doubles", "half a transfer"])
async def test_a_service_that_breaks_its_word_is_found_out_and_one_that_keeps_it_is_not(vice: str) -> None:
    service = Memory(vice)
    seen = await break_and_check(service, {"fault": service.fail}, rounds=3, calm=(0.0, 0.01), rng=random.Random(2))
    assert seen.holds is (vice == ""), seen
    assert bool(seen.problems) is (vice != "")
    assert str(seen).startswith("3 faults (fault 3) in ")


async def test_a_service_that_never_comes_back_is_reported() -> None:
    service = Memory()

    async def end() -> None:
        async def refuse(*_: object) -> Any:
            raise ConnectionRefusedError

        for name in ("read", "write", "compare_and_set", "add", "transfer", "balances"):
            setattr(service, name, refuse)

    with pytest.raises(NoRecovery):
        await break_and_check(service, {"end": end}, rounds=1, patience=0.2, rng=random.Random(2))
