"""Claim: a termo's PDF takes 150 ms, a thousand labels 3 s, a termo of a carga of 5,000 assets 3 s to issue and few to draw.

The application in this process over an embedded PostgreSQL with a demo city, asked as a program asks it; papers are drawn
by a process of their own, whose largest memory is read from /proc. Of the small termo the median of the rounds counts, the
first apart, because it starts that process; of the rest the worst.

    python -m benchmarks.pdf [--rounds 20] [--large 5000] [--labels 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from benchmarks.http import database
from benchmarks.report import Claim, publish

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded
from sispat.app import create_app
from sispat.kernel.pdf import PdfRenderer
from sispat.settings import Settings

SMALL = 12  # assets of the small termo
_UNLIMITED = {"limit_write": None, "limit_report": None, "limit_user": None}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=20)
    arguments.add_argument("--large", type=int, default=5000)
    arguments.add_argument("--labels", type=int, default=1000)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="sispat-pdf-") as home:
        Path(home).chmod(0o711)  # the server's account has to pass
        server = Embedded(Path(home) / "data")
        try:
            server.start()
            dsn = database(server, "pdf", max(options.large, options.labels) + 1000)
            claims = asyncio.run(measured(dsn, options))
        finally:
            server.stop(timeout=10.0)
    publish("pdf", claims, ("typst", "segno"))


async def measured(dsn: Dsn, options: argparse.Namespace) -> list[Claim]:
    """All figures, in milliseconds and megabytes."""
    application = create_app(Settings(database_url=dsn, cep_url=None, public_url="https://bens.example", **_UNLIMITED))
    renderer = application.state.service.resource(PdfRenderer)
    async with (
        application.router.lifespan_context(application),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(application), base_url="http://sispat.bench", timeout=120.0
        ) as c,
    ):
        answer = await c.post("/api/auth/login", json={"email": "gestor@demo.local", "password": "demo"})
        c.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        c.cookies.clear()
        small, large = await asyncio.to_thread(custodians, dsn, options.large)
        _, issued = await timed(c, "POST", "/api/termos", json=termo_of(small))
        paper = f"/api/termos/{issued.json()['id']}/pdf"
        first, _ = await timed(c, "GET", paper)
        again = [(await timed(c, "GET", paper))[0] for _ in range(options.rounds)]
        least = memory_of(renderer.pid)
        labels = {"numeros": ",".join(map(str, range(1, options.labels + 1)))}
        sheets = max([(await timed(c, "GET", "/api/etiquetas", params=labels))[0] for _ in range(2)])
        issuing, made = await timed(c, "POST", "/api/termos", json=termo_of(large))
        drawing, peak = await drawn(c, renderer, f"/api/termos/{made.json()['id']}/pdf")
    return [
        Claim("termo, PDF", "ms", "lower", statistics.median(again), target=150.0),
        Claim("termo, first PDF of a process", "ms", "lower", first),
        Claim(f"{options.labels} labels", "ms", "lower", sheets, target=3000.0),
        Claim(f"termo of {options.large}, issued", "ms", "lower", issuing, target=3000.0),
        Claim(f"termo of {options.large}, PDF", "ms", "lower", drawing),
        Claim("memory of the process, small", "MB", "lower", least),
        Claim(f"memory of the process, {options.large}", "MB", "lower", peak, target=1024.0),
    ]


async def timed(c: httpx2.AsyncClient, method: str, path: str, **sent: Any) -> tuple[float, httpx2.Response]:
    """Milliseconds that an answer took, and the answer, which has to be a good one."""
    began = time.perf_counter()
    answer = await c.request(method, path, **sent)
    took = (time.perf_counter() - began) * 1000
    answer.raise_for_status()
    return took, answer


async def drawn(c: httpx2.AsyncClient, renderer: PdfRenderer, path: str) -> tuple[float, float]:
    """How long a large PDF takes, and the most memory that its process was seen to use; it ends after the answer."""
    answer = asyncio.ensure_future(timed(c, "GET", path))
    peak = 0.0
    while not answer.done():
        peak = max(peak, memory_of(renderer.pid))
        await asyncio.sleep(0.05)
    return (await answer)[0], peak


def memory_of(pid: int | None) -> float:
    """The largest resident memory of a process, in megabytes; 0 where there is none."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def custodians(dsn: Dsn, large: int) -> tuple[str, str]:
    """Two agentes: one with a few assets, one with `large`."""
    with psycopg.connect(dsn.conninfo) as conn:
        small, big = (str(row[0]) for row in conn.execute("select id from agente order by id limit 2").fetchall())
        conn.execute("update patrimonio set agente_id = (select max(id::text)::uuid from agente)")
        for agente, number in ((small, SMALL), (big, large)):
            conn.execute(
                """update patrimonio set agente_id = %s where id in (
                       select id from patrimonio where situacao <> 'baixado' and agente_id not in (%s, %s) limit %s)""",
                [agente, small, big, number],
            )
    return small, big


def termo_of(agente: str) -> dict[str, str]:
    """What asks for a termo of responsibility."""
    return {"tipo": "responsabilidade", "assunto_id": agente}


if __name__ == "__main__":
    main()
