"""Claim: a dump takes half the time of the original's pipeline and 1.25 x that of pg_dump writing nowhere; under 200 MB.

The database is the demo's city, grown to `--gigabytes`; every command writes to the same disk, and all are run
`--rounds` times in turn, the best of each counting. Ours is the whole command `esteio backup run --no-verify`, Python's
start, globals and the digests of all tables included; its memory is that of all its processes together, looked at in
a run of its own. The verification that follows a run otherwise is timed once.

Claims about the whole cluster: a base restore takes a quarter of the time of pg_restore, a delta restore of an unchanged
directory at most 0.3 x a full one; a service's 99th percentile is
at most 1.5 x while a backup runs; after everything was killed and lost, a GB is back in 60 s, a second missing at most.

A store that is away for ten minutes under load (`--away` seconds) has no hole a minute after its return.

    python -m benchmarks.backup [--gigabytes 1] [--rounds 3] [--away 600] [--only away]

With `--only` one part is run, and its figures go to results/backup-PART.json: `--only away --away 60 --gigabytes 0.05` is the
claim of the store within two minutes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
from benchmarks.cluster import away, base, beside, lost
from benchmarks.report import Claim, publish

from esteio.backup.tools import Toolbox, environment
from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded
from sispat.demo import populate
from sispat.kernel.schema import migrate

ASSETS_PER_GB = 740_000  # measured: 100,000 assets make 141 MB
NAMES = {
    "original": "original: pg_dump -Fc -Z9 | gzip",
    "custom": "pg_dump -Fc",
    "directory": "pg_dump -Fd -j2",
}


@contextmanager
def city(assets: int) -> Iterator[Dsn]:
    """The demo with `assets` assets on a durable server of its own."""
    home = Path(tempfile.mkdtemp(prefix="esteio-bench-"))
    home.chmod(0o711)
    server = Embedded(home / "data")
    try:
        server.start()
        server.ensure_database("city", owner="postgres")
        dsn = server.dsn("city")
        migrate(dsn)
        populate(dsn, size=assets)
        with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
            conn.execute("VACUUM ANALYZE")
        yield dsn
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def timed(command: list[str], variables: Mapping[str, str]) -> float:
    """Seconds that `command` takes."""
    began = time.perf_counter()
    done = subprocess.run(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command} failed with {done.returncode}")
    return time.perf_counter() - began


def memory(command: list[str], variables: Mapping[str, str]) -> int:
    """The most bytes that `command` and all it started had resident at the same time."""
    child = psutil.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0
    while child.poll() is None:
        total = 0
        with suppress(psutil.Error):
            for process in (child, *child.children(recursive=True)):
                with suppress(psutil.Error):
                    total += process.memory_info().rss
        most = max(most, total)
        time.sleep(0.02)
    return most


def shell(line: str) -> list[str]:
    return ["/bin/bash", "-o", "pipefail", "-c", line]


def measure(dsn: Dsn, rounds: int, home: Path) -> list[Claim]:
    tools = Toolbox(18)
    variables = environment(dsn) | {"DATABASE_URL": dsn.url, "BACKUP_DIR": str(home / "backups")}
    subprocess.run([sys.executable, "-m", "esteio", "backup", "init"], env=variables, check=True)
    dump = tools.directory / "pg_dump"
    esteio = [sys.executable, "-m", "esteio", "backup"]
    commands = {
        "floor": shell(f"{dump} -Fc -Z0 > /dev/null"),
        "ours": [*esteio, "run", "--no-verify"],
        "original": shell(f"{dump} -Fc -Z9 | gzip > {home}/original"),
        "custom": shell(f"{dump} -Fc > {home}/custom"),
        "directory": shell(f"rm -rf {home}/directory; {dump} -Fd -j2 -f {home}/directory"),
    }
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(rounds):
        for name, command in commands.items():
            best[name] = min(best[name], timed(command, variables))
    most = memory(commands["ours"], variables)
    trial = timed([*esteio, "verify"], variables)
    peers = {text: best[name] for name, text in NAMES.items()}
    return [
        Claim("dump", "s", "lower", best["ours"], peers, best["floor"], best["original"] / 2),
        Claim("dump over the floor", "x", "lower", best["ours"] / best["floor"], target=1.25),
        Claim("dump, memory", "MB", "lower", most / 1e6, target=200.0),
        Claim("trial of a dump", "s", "lower", trial),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--away", type=float, default=600.0, help="seconds that a store is away")
    parser.add_argument("--only", choices=["dump", "base", "beside", "away", "lost"])
    given = parser.parse_args()
    parts: dict[str, Callable[[Dsn, Path], list[Claim]]] = {
        "dump": lambda dsn, home: measure(dsn, given.rounds, home),
        "base": lambda dsn, home: base.measure(dsn, given.rounds, home),
        "beside": beside.measure,
        "away": lambda dsn, home: away.measure(dsn, home / "away", given.away),
        "lost": lost.measure,  # last: it kills the server
    }
    chosen = [given.only] if given.only else list(parts)
    with city(int(given.gigabytes * ASSETS_PER_GB)) as dsn, tempfile.TemporaryDirectory() as home:
        with psycopg.connect(dsn.conninfo) as conn:
            size = conn.execute("SELECT pg_size_pretty(pg_database_size(current_database()))").fetchone()
        print(f"database: {size[0] if size else '?'}")
        claims = [claim for part in chosen for claim in parts[part](dsn, Path(home))]
    publish(f"backup-{given.only}" if given.only else "backup", claims, ["zstandard", "pyrage", "obstore", "psycopg"])


if __name__ == "__main__":
    main()
