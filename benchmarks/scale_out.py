"""Claim: a list of 50 over 2 and 3 nodes is within 15 % of 2 and 3 times one node's.

A node is one worker; all share one PostgreSQL, as the nodes of a cluster do. The kernel holds each node to `SHARE` of a core
(control groups, so as root), so that three of them, PostgreSQL and the load (`wrk`, one for each node) have what they ask for
on two cores: nodes with a core each would share theirs with PostgreSQL, and a machine of two cores would be measured. Where
that can't be done, one node alone is measured. The processor time of each request, in the worker and in PostgreSQL, says how
far it goes with more cores (docs/explanation/how-far-it-goes.md). HAProxy and the network are not in it.

    python -m benchmarks.scale_out [--rounds 3] [--seconds 5] [--size 20000]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
from benchmarks.http import OURS, database, prepare, stack, wrk
from benchmarks.report import Claim, publish

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded

LIST, CARD, CREATE = "list of 50", "one asset", "create"
LINEAR = 0.85
"""Of linear; what the issue asks for."""
MOST = 3
SHARE = 0.25
CONNECTIONS = 4
"""To each node: with many, one that is held to a share of a core is overloaded and refuses some."""
_PERIOD = 100_000  # microseconds; a node that has used up its share waits for the rest of it
_GROUPS = Path("/sys/fs/cgroup")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=int, default=5)
    arguments.add_argument("--size", type=int, default=20_000)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="sispat-scale-") as home:
        Path(home).chmod(0o711)  # the server's account has to pass
        server = Embedded(Path(home) / "data")
        try:
            server.start()
            empty = database(server, "empty", 100)
            dsn = database(server, "scale", options.size)
            asset = (size_of(dsn) - size_of(empty)) / (options.size - 100)
            rates, costs = measured(dsn, options.rounds, options.seconds)
        finally:
            server.stop(timeout=10.0)
    publish("scale_out", claims(rates, costs, asset), ("fastapi", "uvicorn", "psycopg", "uvloop", "httptools"))


def measured(dsn: Dsn, rounds: int, seconds: int) -> tuple[dict[int, float], dict[str, float]]:
    """Lists a second by the number of nodes; and what each request costs one node and PostgreSQL. Medians of the rounds."""
    rates: dict[int, list[float]] = defaultdict(list)
    costs: dict[str, list[float]] = defaultdict(list)
    token, asset, body = prepare(dsn)
    headers = {"Authorization": f"Bearer {token}"}
    paths = {LIST: "/api/patrimonios", CARD: f"/api/patrimonios/{asset}", CREATE: "/api/patrimonios"}
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        content = f'wrk.headers["Content-Type"] = "application/json"\nwrk.body = [[{json.dumps(body)}]]\n'
        script.write(f'wrk.method = "POST"\n{content}')
        script.flush()
        for _ in range(rounds):
            for number in range(1, MOST + 1):
                with ExitStack() as opened:
                    groups = [opened.enter_context(share_of_a_core(f"sispat-node-{each}")) for each in range(number)]
                    if number > 1 and None in groups:
                        continue
                    nodes = [opened.enter_context(stack(OURS, dsn, workers=1)) for _ in range(number)]
                    urls = [url for url, _, _ in nodes]
                    together(urls, paths[LIST], headers, 1)  # connections open, statements prepared
                    for worker, group in zip((pid for _, pids, _ in nodes for pid in pids()), groups, strict=True):
                        if group is not None:
                            group.write_text(str(worker))
                    rates[number].append(together(urls, paths[LIST], headers, seconds))
            print({number: round(each[-1]) for number, each in rates.items()}, flush=True)
        with stack(OURS, dsn, workers=1) as (url, pids, _):  # last: what it creates makes the database another one
            workers = [psutil.Process(pid) for pid in pids()]
            for _ in range(rounds):
                for name, path in paths.items():
                    file = Path(script.name) if name == CREATE else None
                    for what, cost in cost_of(dsn, workers, url + path, headers, seconds, file).items():
                        costs[f"{what}, {name}"].append(cost)
    return (
        {number: statistics.median(each) for number, each in rates.items()},
        {name: statistics.median(each) for name, each in costs.items()},
    )


@contextmanager
def share_of_a_core(name: str) -> Iterator[Path | None]:
    """Where a process number is written to hold that process to `SHARE` of a core; None where the kernel can't be asked."""
    first = (_GROUPS / "cpu" / "cpu.cfs_quota_us").exists()
    group = (_GROUPS / "cpu" if first else _GROUPS) / name
    quota = str(round(SHARE * _PERIOD))
    try:
        group.mkdir()
        if first:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (group / "cpu.cfs_quota_us").write_text(quota)
        else:
            (group / "cpu.max").write_text(f"{quota} {_PERIOD}")
    except OSError as error:
        print(f"no share of a core ({error}): one node alone, with all cores", flush=True)
        with suppress(OSError):
            group.rmdir()
        yield None
        return
    try:
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def together(urls: list[str], path: str, headers: dict[str, str], seconds: int) -> float:
    """Requests a second of all nodes, each asked at the same time as the others."""
    with ThreadPoolExecutor(len(urls)) as threads:
        return sum(threads.map(lambda url: wrk(url + path, headers, seconds, connections=CONNECTIONS), urls))


def cost_of(
    dsn: Dsn, workers: list[psutil.Process], url: str, headers: dict[str, str], seconds: int, script: Path | None
) -> dict[str, float]:
    """Microseconds of a processor for each request, in the node and in PostgreSQL; and bytes of log."""
    server = postgres(dsn)
    before = spent(workers), spent(server), log_position(dsn)
    done = wrk(url, headers, seconds, script, connections=CONNECTIONS) * seconds
    after = spent(workers), spent(server), log_position(dsn)
    worker, database_, log = ((b - a) / done for a, b in zip(before, after, strict=True))
    costs = {"worker's time": worker * 1e6, "PostgreSQL's time": database_ * 1e6}
    return costs | ({"WAL": log} if script else {})


def postgres(dsn: Dsn) -> list[psutil.Process]:
    """The server's main process and its children."""
    with psycopg.connect(dsn.conninfo) as conn:
        ((backend,),) = conn.execute("select pg_backend_pid()").fetchall()
        main_process = psutil.Process(backend).parent()
        assert main_process is not None
        return [main_process, *(each for each in main_process.children() if each.pid != backend)]


def spent(processes: Iterable[psutil.Process]) -> float:
    """Seconds of a processor so far; a process that has ended counts no more."""
    total = 0.0
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
    return total


def size_of(dsn: Dsn) -> int:
    with psycopg.connect(dsn.conninfo) as conn:
        ((size,),) = conn.execute("select pg_database_size(current_database())").fetchall()
        return int(size)


def log_position(dsn: Dsn) -> float:
    with psycopg.connect(dsn.conninfo) as conn:
        ((position,),) = conn.execute("select (pg_current_wal_lsn() - '0/0'::pg_lsn)::float8").fetchall()
        return float(position)


def claims(rates: dict[int, float], costs: dict[str, float], asset: float) -> list[Claim]:
    found = [Claim(f"{LIST}, 1 node", "requests/s", "higher", rates[1])]
    for number in sorted(rates)[1:]:
        linear = number * rates[1]
        peers, target = {"linear": linear}, LINEAR * linear
        found.append(Claim(f"{LIST}, {number} nodes", "requests/s", "higher", rates[number], peers, target=target))
    found += [Claim(name, "bytes" if name.startswith("WAL") else "us", "lower", cost) for name, cost in costs.items()]
    return [*found, Claim("database, an asset", "bytes", "lower", asset)]


if __name__ == "__main__":
    main()
