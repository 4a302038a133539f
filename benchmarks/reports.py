"""Claim: the analytic inventory of 10,000 assets as PDF takes at most 6 s, of 100,000 60 s, in less than 400 MB.

The whole way: the job's process as `sispat jobs` starts it, the process that draws below it, the parts put together, the
commit of the file. Grouped by setor, with its sums, as an office prints it. Memory is the most that both processes together
were seen to hold (RSS, sampled twenty times a second). Beside it the same lines as CSV and XLSX from the service in this
process.

Tried: one document; parts of 1,000 lines; parts of 500, the next being read while one is drawn (7.4 s of 10,000 in the quiet).
Then two processes that draw, which give up what Typst kept instead of ending (95 MB after a part drawn as a table, 283 after
five; with empty documents in between 83); boxes side by side instead of a table (0.10 s of a processor for 500 lines, 0.24
before; a table of one column 0.21, a grid for each line 0.19, rows of one height 0.15; no strokes, no header, one font, other
widths: no difference); the process of a job without the service. In the quiet: 7.4 s of 10,000 before, 2.0 s after.

    python -m benchmarks.reports [--assets 10000 100000]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
from typing import Any

import httpx2
import psutil
import psycopg
from benchmarks.backup import city
from benchmarks.report import Claim, publish
from psycopg.types.json import Jsonb

from esteio.postgres import Database, Dsn
from sispat.app import create_app
from sispat.kernel.jobs import queue
from sispat.relatorios.files import FAZER_PDF
from sispat.settings import Settings

TARGETS = {10_000: 6.0, 100_000: 60.0}  # seconds
MEMORY = 400.0  # MB


async def drawn(dsn: Dsn) -> tuple[float, float, int]:
    """Seconds and megabytes that the report takes, and the bytes it has."""
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        row: Any = conn.execute(
            """with who as (select id from usuario where papel = 'gestor' limit 1)
               insert into relatorio_arquivo (relatorio, nome, por) select 'inventario-analitico', 'a.pdf', id from who
               returning id::text, por::text"""
        ).fetchone()
        arguments = {
            "arquivo": row[0], "relatorio": "inventario-analitico", "pedido": {"por": "setor"}, "hoje": "2026-12-31",
            "cidade": "Prefeitura de Teste", "brasao": "", "fuso": "America/Sao_Paulo",
        }  # fmt: skip
        conn.execute(
            "insert into tarefa (tipo, argumentos, pedida_por, requisicao, idioma, tentativas, prazo)"
            " values (%s, %s, %s, 'benchmark', 'pt-BR', 1, 900)",
            [FAZER_PDF.name, Jsonb(arguments), row[1]],
        )
    async with Database(dsn, min_size=1, leak_after=None) as db:
        async with db.connection() as conn:
            taken = await queue.claim(conn, "benchmark")
        assert taken is not None
        began, peak = time.perf_counter(), 0.0
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sispat", "job", str(taken.id), str(taken.turn),
            env={**os.environ, "DATABASE_URL": dsn.url},
        )  # fmt: skip
        ended = asyncio.ensure_future(child.wait())
        while not ended.done():
            peak = max(peak, held(child.pid))
            await asyncio.wait([ended], timeout=0.05)
        seconds = time.perf_counter() - began
        async with db.connection() as conn:
            job: Any = await queue.one(conn, taken.id)
    assert job["estado"] == "concluida", job["erro"]
    return seconds, peak, job["resultado"]["tamanho"]


def held(pid: int) -> float:
    """Megabytes that a process and those below it hold."""
    found = 0
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for each in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                found += each.memory_info().rss
    return found / 1e6


async def exported(dsn: Dsn) -> dict[str, float]:
    """Seconds that the same lines take as files."""
    application = create_app(Settings(database_url=dsn, cep_url=None, limit_report=None))
    transport = httpx2.ASGITransport(application)
    async with (
        application.router.lifespan_context(application),
        httpx2.AsyncClient(transport=transport, base_url="http://sispat.bench", timeout=300.0) as c,
    ):
        answer = await c.post("/api/auth/login", json={"email": "gestor@demo.local", "password": "demo"})
        c.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        c.cookies.clear()
        taken = {}
        for end in ("csv", "xlsx"):
            began = time.perf_counter()
            answer = await c.get(f"/api/relatorios/inventario-analitico.{end}", params={"por": "setor"})
            answer.raise_for_status()
            taken[end] = time.perf_counter() - began
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--assets", type=int, nargs="+", default=[10_000, 100_000])
    claims = []
    for assets in parser.parse_args().assets:
        with city(assets) as dsn:
            seconds, memory, size = asyncio.run(drawn(dsn))
            files = asyncio.run(exported(dsn))
        claims += [
            Claim(f"PDF of {assets:,} assets", "s", "lower", seconds, files, target=TARGETS.get(assets)),
            Claim(f"memory of {assets:,}", "MB", "lower", memory, target=MEMORY),
            Claim(f"size of {assets:,}", "MB", "lower", size / 1e6),
        ]
    publish("reports", claims, ("typst", "pikepdf", "psycopg"))


if __name__ == "__main__":
    main()
