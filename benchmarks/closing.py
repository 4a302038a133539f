"""Claim: a month of 1,000,000 assets is closed in at most 30 s, and the service answers within 1.5 x its usual p99 meanwhile.

The whole way: the job's process as `sispat jobs` starts it, one statement, its commit. The first month takes the opening
balances; those after it read the month before, and are what is claimed. Beside it two workers answer 20 requests/s (lists,
single assets), each counted from when it was due. The peer is the same arithmetic without the ledger: one SELECT that sums it.

What was tried: keeping the steps of `fechar_mes` apart (`offset 0`, migration 0033) took a month of 200,000 assets from 7.8
s of a processor to 1.5 s, and from 21 to 56 s to 6 to 12 s on a machine busy with others. Inserting in the order of the
assets' table instead of their ids, 9 to 12 s where the other took 6 to 8, was no gain: in the order of ids the index is
filled from its right end.

    python -m benchmarks.closing [--assets 1000000] [--months 3] [--rate 20] [--calm 20]
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import os
import statistics
import sys
import time
from typing import Any

import httpx2
import psycopg
from benchmarks.backup import city
from benchmarks.http import prepare, stack
from benchmarks.lista import quantil
from benchmarks.report import Claim, publish
from psycopg.types.json import Jsonb

from esteio.postgres import Database, Dsn
from sispat.depreciacao.actions import FECHAR_MES
from sispat.depreciacao.rules import first_day, month_of
from sispat.kernel.jobs import queue

SECONDS, TIMES = 30.0, 1.5
FIRST = month_of(dt.date(2026, 1, 1))

_SUMS = """
select c.conta, sum(p.valor), sum(depreciada(p.valor, round(p.valor * c.residual_pct / 100, 2), c.vida_util_meses,
                                             mes(date '2026-03-01') - mes(p.data_disponivel) + 1))
from patrimonio p join classe c on c.id = p.classe_id group by 1"""


async def close(dsn: Dsn, month: int) -> float:
    """Seconds that the job of this month takes, its process included."""
    async with Database(dsn, min_size=1, leak_after=None) as db:
        async with db.connection() as conn:
            await conn.execute(
                "insert into tarefa (tipo, argumentos, pedida_por, requisicao, idioma, tentativas, prazo)"
                " select %s, %s, id, 'benchmark', 'pt-BR', 1, 900 from usuario where papel = 'gestor' limit 1",
                [FECHAR_MES.name, Jsonb({"competencia": first_day(month).isoformat(), "regra": "mes"})],
            )
            taken = await queue.claim(conn, "benchmark")
        assert taken is not None
        began = time.perf_counter()
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sispat", "job", str(taken.id), str(taken.turn),
            env={**os.environ, "DATABASE_URL": dsn.url},
        )  # fmt: skip
        await child.wait()
        seconds = time.perf_counter() - began
        async with db.connection() as conn:
            job: Any = await queue.one(conn, taken.id)
        assert job["estado"] == "concluida", job["erro"]
    return seconds


class Load:
    """Requests at a steady rate, each counted from when it was due."""

    def __init__(self, client: httpx2.AsyncClient, asset: str, rate: float) -> None:
        self.client, self.rate = client, rate
        self.paths = ("/api/patrimonios", f"/api/patrimonios/{asset}", "/api/patrimonios?sort=-valor", "/patrimonios")
        self.taken: list[tuple[float, str]] = []
        self._open: set[asyncio.Task[None]] = set()

    async def _one(self, path: str, due: float) -> None:
        answer = await self.client.get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:200]}")
        self.taken.append(((time.perf_counter() - due) * 1000, path))

    async def during(self, done: asyncio.Task[Any]) -> float:
        """The p99 in ms while `done` is not done."""
        self.taken, begun, n = [], time.perf_counter(), 0
        while not done.done():
            due = begun + n / self.rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(self._one(self.paths[n % len(self.paths)], due))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            n += 1
        await asyncio.gather(*self._open)
        print(f"{len(self.taken)} requests, p50 {quantil(sorted(self.taken), 0.5):.1f} ms", flush=True)
        return quantil(sorted(self.taken), 0.99)


async def measure(dsn: Dsn, options: argparse.Namespace) -> list[Claim]:
    initial = await close(dsn, FIRST)
    print(f"the first month: {initial:.1f} s", flush=True)
    alone = list[float]()
    for n in range(1, options.months + 1):
        alone.append(await close(dsn, FIRST + n))
        print(f"the next month: {alone[-1]:.1f} s", flush=True)
    with psycopg.connect(dsn.conninfo) as conn:
        began = time.perf_counter()
        conn.execute(_SUMS).fetchall()
        sums = time.perf_counter() - began
    with stack("ours", dsn) as (url, _, _):
        token, asset, _ = prepare(dsn)
        async with httpx2.AsyncClient(
            base_url=url, timeout=60, headers={"Authorization": f"Bearer {token}"}, cookies={"sispat_sessao": token}
        ) as client:
            load = Load(client, asset, options.rate)
            await load.during(asyncio.create_task(asyncio.sleep(5)))  # warm
            calm = await load.during(asyncio.create_task(asyncio.sleep(options.calm)))
            beside = asyncio.create_task(close(dsn, FIRST + options.months + 1))
            busy = await load.during(beside)
            seconds = beside.result()
    return [
        Claim(f"a month of {options.assets:,} assets", "s", "lower", statistics.median(alone),
              {"one SELECT of the sums": sums}, target=SECONDS),
        Claim("the first month", "s", "lower", initial, target=SECONDS),
        Claim(f"a month beside {options.rate:g} requests/s", "s", "lower", seconds, target=SECONDS),
        Claim("p99 of the service meanwhile", "ms", "lower", busy, {"before": calm}, target=calm * TIMES),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--assets", type=int, default=1_000_000)
    parser.add_argument("--months", type=int, default=3)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--calm", type=float, default=20)
    options = parser.parse_args()
    with city(options.assets) as dsn:
        claims = asyncio.run(measure(dsn, options))
    publish("closing", claims, ("psycopg",))


if __name__ == "__main__":
    main()
