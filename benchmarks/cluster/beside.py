"""Claims `p99 under dump` and `p99 under base`: how much slower a service is while a backup is made.

A client sends 200 small transactions a second, each due at its time whether the last one is answered or not; one that
comes late counts from when it was due. The backup runs as `sispat serve` lets it run: niced by 10, and gentle.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

import psycopg
from benchmarks.cluster.base import ESTEIO, run
from benchmarks.report import Claim

from esteio.backup.tools import environment
from esteio.postgres import Dsn

__all__ = ["measure"]

RATE = 200
LEAST = 10.0
"""Seconds that are measured at least: 20 of 2,000 transactions are beyond the 99th percentile."""


def measure(dsn: Dsn, home: Path) -> list[Claim]:
    """The ratios, on the server at `dsn`."""
    variables = environment(dsn) | {"DATABASE_URL": dsn.url, "BACKUP_DIR": str(home / "beside")}
    run([*ESTEIO, "init"], variables)
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS beside (n bigint PRIMARY KEY, at timestamptz DEFAULT now())")
        conn.execute("TRUNCATE beside")
    _settled(dsn)
    with _load(dsn) as alone:
        time.sleep(LEAST)
    claims = []
    for kind in ("dump", "base"):
        _settled(dsn)
        with _load(dsn) as under:
            _keep_running(["nice", "-n", "10", *ESTEIO, "run", "--kind", kind, "--no-verify", "--gentle"], variables)
        print(f"p99 alone {_p99(alone):.1f} ms, under {kind} {_p99(under):.1f} ms")
        claims.append(Claim(f"p99 under {kind}", "x", "lower", _p99(under) / _p99(alone), target=1.5))
    return claims


def _settled(dsn: Dsn) -> None:
    """What was measured before has left pages for the disk: nobody should wait for those now."""
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        conn.execute("CHECKPOINT")
    os.sync()


def _keep_running(command: list[str], variables: Mapping[str, str]) -> None:
    """Whole runs of `command` one after another until enough was measured."""
    ends = time.monotonic() + LEAST
    while time.monotonic() < ends:
        subprocess.run(command, env=dict(variables), stdout=subprocess.DEVNULL, check=True)


@contextmanager
def _load(dsn: Dsn) -> Iterator[list[float]]:
    """The latencies in seconds of what is sent while inside."""
    latencies: list[float] = []
    ending = threading.Event()
    thread = threading.Thread(target=_send, args=(dsn, latencies, ending))
    thread.start()
    try:
        yield latencies
    finally:
        ending.set()
        thread.join()


def _send(dsn: Dsn, latencies: list[float], ending: threading.Event) -> None:
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        assets = conn.execute("SELECT id FROM patrimonio TABLESAMPLE SYSTEM (1)").fetchall()
        first = time.perf_counter()
        number = 0
        while not ending.is_set():
            due = first + number / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            with conn.transaction():
                conn.execute("SELECT * FROM patrimonio WHERE id = %s", assets[number % len(assets)]).fetchone()
                conn.execute("INSERT INTO beside VALUES (%s) ON CONFLICT (n) DO UPDATE SET at = now()", [number])
            latencies.append(time.perf_counter() - due)
            number += 1


def _p99(latencies: list[float]) -> float:
    """In milliseconds."""
    return quantiles(latencies, n=100)[98] * 1000
