"""Claim: a reading is acknowledged within 100 ms (p95) while 50 phones count; opening the count of a whole city is timed, too.

Each phone is a client with a kept connection; it reads one asset, waits for the acknowledgement, and walks on for a while. The
acknowledgement is what the phone waits for before it forgets a reading: it is in the database, durably.

    python -m benchmarks.inventory [--phones 50] [--readings 20] [--assets 100000]
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
from benchmarks.http import database, prepare, stack
from benchmarks.report import Claim, publish

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded

_TARGET_MS = 100.0
_WALK = 1.0  # seconds from one asset to the next


def frozen(dsn: Dsn, http: httpx2.Client) -> tuple[str, float, list[int]]:
    """A count of the whole city, begun: its address, the seconds it took to open, and numbers it expects."""
    with psycopg.connect(dsn.conninfo) as conn:
        row: Any = conn.execute("select id::text from comissao limit 1").fetchone()
    began = time.perf_counter()
    answer = http.post("/api/inventarios", json={"escopo": "cidade", "comissao_id": row[0], "data_base": "2026-12-31"})
    seconds = time.perf_counter() - began
    assert answer.status_code == 201, answer.text
    root = f"/api/inventarios/{answer.json()['id']}"
    assert http.post(f"{root}/estado", json={"estado": "contando"}).status_code == 200
    with psycopg.connect(dsn.conninfo) as conn:
        numbers = [
            each[0] for each in conn.execute("select plaqueta from inventario_item order by random() limit 20000")
        ]
    return root, seconds, numbers


def walk(url: str, token: str, root: str, numbers: list[int], start: threading.Barrier) -> list[float]:
    """Milliseconds until each reading of one phone was acknowledged."""
    times, own = [], random.Random(numbers[0])
    with httpx2.Client(base_url=url, timeout=30, headers={"Authorization": f"Bearer {token}"}) as http:
        start.wait()
        time.sleep(own.uniform(0, _WALK))
        for number in numbers:
            reading = {"id": str(uuid4()), "codigo": str(number), "resultado": "encontrado",
                       "lida_em": "2026-11-30T09:00:00-03:00"}  # fmt: skip
            began = time.perf_counter()
            answer = http.post(f"{root}/leituras", json={"leituras": [reading]})
            times.append(1000 * (time.perf_counter() - began))
            assert answer.status_code == 200, answer.text
            assert answer.json()["items"][0]["motivo"] == "", answer.text
            time.sleep(own.uniform(0.5, 1.5) * _WALK)
    return times


def measure(dsn: Dsn, phones: int, readings: int) -> list[Claim]:
    with stack("ours", dsn) as (url, _, _):
        token, _, _ = prepare(dsn)
        with httpx2.Client(base_url=url, timeout=180, headers={"Authorization": f"Bearer {token}"}) as http:
            root, seconds, numbers = frozen(dsn, http)
        start = threading.Barrier(phones)
        parts = [numbers[at * readings : (at + 1) * readings] for at in range(phones)]
        with ThreadPoolExecutor(phones) as threads:
            times = sorted(
                each for part in threads.map(lambda part: walk(url, token, root, part, start), parts) for each in part
            )
    with psycopg.connect(dsn.conninfo) as conn:
        stored: Any = conn.execute("select count(*) from inventario_leitura").fetchone()
    assert stored[0] == len(times) == phones * readings
    return [
        Claim(f"reading to acknowledgement, p95, {phones} phones", "ms", "lower", times[int(len(times) * 0.95)],
              target=_TARGET_MS),
        Claim(f"the same, median, {phones} phones", "ms", "lower", statistics.median(times)),
        Claim("a whole city opened", "s", "lower", seconds),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--phones", type=int, default=50)
    parser.add_argument("--readings", type=int, default=20)
    parser.add_argument("--assets", type=int, default=100_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sispat-inventory-") as folder:
        Path(folder).chmod(0o711)  # the server's account has to pass
        server = Embedded(Path(folder) / "data")
        server.start()
        try:
            result = measure(database(server, "inventory", chosen.assets), chosen.phones, chosen.readings)
        finally:
            server.stop()
    publish("inventory", result, ("psycopg", "fastapi"))


if __name__ == "__main__":
    main()
