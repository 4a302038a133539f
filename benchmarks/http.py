"""Claim: a list of 50 at >= 10 x the ORM's rate, one asset at >= 5 x, creates at >= 6 x; each ahead of hand-written asyncpg.

Two workers, 32 connections, `wrk` on the same machine, 20,000 assets, fsync on, a session checked for every request.
Each round measures the peers (peers/orm_app.py, peers/asyncpg_app.py), the floor (peers/floor_app.py: nothing of a
service but the three answers) and ours in turn, each over its own copy of the same database; the median of the rounds
counts. Also printed: start to first 200, memory of a worker. Pages of 1,000,000 assets: benchmarks/lista.py.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from benchmarks.report import Claim, publish

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded
from sispat.demo import populate
from sispat.kernel.schema import migrate

HERE = Path(__file__).parent
ORM, ASYNCPG, FLOOR, OURS = "FastAPI + SQLAlchemy ORM", "FastAPI + asyncpg, no ORM", "the floor", "ours"
APPLICATIONS = {ORM: "orm_app:app", ASYNCPG: "asyncpg_app:app", FLOOR: "floor_app:app", OURS: "sispat.app:app"}
CONNECTIONS = 32
TIMES_THE_ORM = {"list of 50": 10.0, "one asset": 5.0, "create": 6.0}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=5)
    arguments.add_argument("--size", type=int, default=20_000)
    options = arguments.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("benchmarks/http.py needs the load generator wrk: apt-get install wrk")
    home = Path(tempfile.mkdtemp(prefix="sispat-bench-"))
    home.chmod(0o711)
    server = Embedded(home / "data")
    try:
        server.start()
        databases = {
            name: database(server, name.partition(":")[0].partition(".")[0], options.size)
            for name in APPLICATIONS.values()
        }
        claims = measure(databases, options.rounds, options.seconds)
    finally:
        server.stop(timeout=10.0)
        shutil.rmtree(home, ignore_errors=True)
    publish("http", claims, ("fastapi", "uvicorn", "psycopg", "asyncpg", "sqlalchemy", "uvloop", "httptools"))


def database(server: Embedded, name: str, size: int) -> Dsn:
    server.ensure_database(name, "postgres")
    dsn = server.dsn(name, "postgres")
    migrate(dsn)
    populate(dsn, size=size)
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        conn.execute("vacuum analyze")
    return dsn


def measure(databases: dict[str, Dsn], rounds: int, seconds: int) -> list[Claim]:
    figures: dict[str, dict[str, list[float]]] = {claim: {name: [] for name in APPLICATIONS} for claim in TIMES_THE_ORM}
    starts, memory = [], []
    for _ in range(rounds):
        for name, application in APPLICATIONS.items():
            dsn = databases[application]
            with stack(name, dsn) as (url, pids, started):
                for claim, rate in drive(url, dsn, seconds).items():
                    figures[claim][name].append(rate)
                if name == OURS:
                    starts.append(started)
                    memory.append(max(map(resident_mb, pids())))
        print({claim: {k: round(v[-1]) for k, v in by.items()} for claim, by in figures.items()}, flush=True)
    claims = []
    for claim, by in figures.items():
        middle = {name: statistics.median(rates) for name, rates in by.items()}
        peers = {name: middle[name] for name in (ORM, ASYNCPG)}
        target = middle[ORM] * TIMES_THE_ORM[claim]
        claims.append(Claim(claim, "requests/s", "higher", middle[OURS], peers, floor=middle[FLOOR], target=target))
    claims.append(Claim("memory of a worker", "MB", "lower", statistics.median(memory), target=150.0))
    claims.append(Claim("app start to first 200", "s", "lower", statistics.median(starts), target=5.0))
    return claims


@contextmanager
def stack(name: str, dsn: Dsn, workers: int = 2) -> Iterator[tuple[str, Any, float]]:
    """The workers of a stack on a free port: its address, its worker pids, seconds from start to the first 200."""
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": dsn.url,
        "SISPAT_LIMIT_WRITE": "não",  # one person does the work of many
        "SISPAT_LIMIT_USER": "1000000/1s",  # decided and told for each request, and never reached
        "PEER_DATABASE_URL": dsn.url.replace("postgresql://", "postgresql+psycopg://", 1) if name == ORM else dsn.url,
        "PYTHONPATH": os.pathsep.join([str(HERE / "peers"), *(p for p in sys.path if p and p != os.getcwd())]),
    }
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        APPLICATIONS[name],
        "--port",
        str(port),
        "--workers",
        str(workers),
        "--no-access-log",
    ]
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url + ("/api/health/ready" if name == OURS else "/openapi.json"))
        yield url, lambda: workers_of(process.pid) or [process.pid], time.perf_counter() - begun
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def drive(url: str, dsn: Dsn, seconds: int) -> dict[str, float]:
    """Requests/s of each claim; any answer but 2xx is an error."""
    token, asset, body = prepare(dsn)
    headers = {"Authorization": f"Bearer {token}"}
    wrk(f"{url}/api/patrimonios", headers, 1)  # warm: connections open, statements prepared
    rates = {
        "list of 50": wrk(f"{url}/api/patrimonios", headers, seconds),
        "one asset": wrk(f"{url}/api/patrimonios/{asset}", headers, seconds),
    }
    script = Path(tempfile.mkstemp(suffix=".lua")[1])
    script.write_text(
        f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [[{json.dumps(body)}]]\n'
    )
    try:
        rates["create"] = wrk(f"{url}/api/patrimonios", headers, seconds, script)
    finally:
        script.unlink()
    return rates


def prepare(dsn: Dsn) -> tuple[str, str, dict[str, str]]:
    """A session made directly in the database (the peer has no login), an asset, and a body to create more."""
    from sispat.kernel import tokens

    token = tokens.new_token()
    with psycopg.connect(dsn.conninfo) as conn:
        conn.execute(
            "insert into sessao (token_hash, usuario_id, expira_em)"
            " select %s, id, now() + interval '1 hour' from usuario where papel = 'gestor' limit 1",
            [tokens.token_hash(token)],
        )
        row = conn.execute(
            "select id, classe_id, setor_id, local_id, agente_id from patrimonio"
            " where numero <= 9001 order by numero desc limit 1"
        ).fetchone()
    assert row is not None
    places = dict(zip(("classe_id", "setor_id", "local_id", "agente_id"), map(str, row[1:]), strict=True))
    return token, str(row[0]), {"descricao": "Mesa", "valor": "10.00", "data_aquisicao": "2026-01-31", **places}


def wrk(
    url: str, headers: dict[str, str], seconds: int, script: Path | None = None, *, connections: int = CONNECTIONS
) -> float:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", url]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    if script is not None:
        command += ["-s", str(script)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"{url}: {output}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert found is not None, output
    return float(found[1])


def wait_for(url: str, limit: float = 120.0) -> None:
    end = time.monotonic() + limit
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1) as response:
                if response.status == 200:
                    return
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.02)


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]


def resident_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
    return port


if __name__ == "__main__":
    main()
