"""Claim `everything lost`: all is killed, the data is gone, and BACKUP_DIR alone brings it back, in seconds per GB.

The log is archived and written to all the time. The clock runs from the kill until a server answers on the old place.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import psutil
import psycopg
from benchmarks.cluster.base import ESTEIO, run
from benchmarks.report import Claim

from esteio.backup.tools import environment
from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded

__all__ = ["measure"]

WRITING = 5.0
"""Seconds that somebody writes after the base backup."""


def measure(dsn: Dsn, home: Path) -> list[Claim]:
    """The claim; afterwards the server at `dsn` is dead, and another one has run in its place."""
    backups = home / "lost"
    variables = environment(dsn) | {"DATABASE_URL": dsn.url, "BACKUP_DIR": str(backups)}
    run([*ESTEIO, "init"], variables)
    archive = subprocess.Popen([*ESTEIO, "archive"], env=variables, stdout=subprocess.DEVNULL)
    while not any(backups.glob(".wal/*/*.partial")):
        if archive.poll() is not None:
            raise SystemExit("the archive did not start")
        time.sleep(0.1)
    run([*ESTEIO, "run", "--kind", "base", "--no-verify"], variables)
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        row = conn.execute(
            "SELECT sum(pg_database_size(oid)), current_setting('data_directory') FROM pg_database"
        ).fetchone()
        conn.execute("CREATE TABLE IF NOT EXISTS written (n bigint PRIMARY KEY)")
    assert row is not None
    data_dir = Path(row[1])
    confirmed, killed = _write_and_kill(dsn, [archive.pid, int((data_dir / "postmaster.pid").read_text().split()[0])])
    archive.wait()
    shutil.rmtree(data_dir)
    began = time.perf_counter()
    run([*ESTEIO, "restore", "--to", "last", "--data-dir", data_dir, "--yes"], variables)
    back = Embedded(data_dir)
    back.start()
    seconds = time.perf_counter() - began
    try:
        with psycopg.connect(back.dsn(dsn.database or "").conninfo) as conn:
            there = {number for (number,) in conn.execute("SELECT n FROM written")}
    finally:
        back.stop()
    lost = [killed - at for number, at in confirmed.items() if number not in there]
    size = float(row[0]) / 1e9
    print(f"everything lost: back after {seconds:.1f} s, {size:.2f} GB; {len(lost)} of {len(confirmed)} commits lost")
    return [
        Claim("everything lost", "s/GB", "lower", seconds / size, target=60.0),
        Claim("everything lost, commits", "s", "lower", max(lost, default=0.0), target=1.0),
    ]


def _write_and_kill(dsn: Dsn, pids: list[int]) -> tuple[dict[int, float], float]:
    """When each commit was confirmed, and when all was killed."""
    confirmed: dict[int, float] = {}
    ending = threading.Timer(WRITING, _kill, (pids,))
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        ending.start()
        number = 0
        try:
            while True:
                conn.execute("INSERT INTO written VALUES (%s)", [number])
                confirmed[number] = time.perf_counter()
                number += 1
        except psycopg.OperationalError:
            killed = time.perf_counter()
    ending.join()
    return confirmed, killed


def _kill(pids: list[int]) -> None:
    first = [psutil.Process(pid) for pid in pids]
    victims = first + [child for process in first for child in process.children(recursive=True)]
    for process in victims:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    psutil.wait_procs(victims, timeout=30)
