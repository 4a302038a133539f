"""Claim: measuring a request costs at most 8 microseconds, and a quarter of what others take.

`middleware`: the same FastAPI application - one of 200 routes, a small answer - runs bare, with ours, with
prometheus-fastapi-instrumentator and with starlette-exporter; it is called in this process without a network, so that
nothing but the middleware differs. The candidates take turns; the figure is the median of the rounds, less that of the bare
application. `metrics page`: milliseconds of the processor for `/metrics` with 200 routes of four workers. `operations page`:
those for the page, with 90 days of ten checks and five series behind it. `history`: the size of their file. `operator`: what
watching costs a process of its own, with ten checks and four workers of 200 routes: percent of a processor, and memory.

Run: python -m benchmarks.health [rounds]
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.report import Claim, publish
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from esteio.health import HistoryReader, Measurements, Report, Status
from esteio.health._history import History, Observation
from esteio.health.series import HTTP, SERVICE, Key, State

PEERS = ("prometheus-fastapi-instrumentator", "starlette-exporter", "fastapi", "prometheus-client")
ROUTES, REQUESTS = 200, 500


async def well(request: Request) -> Response:
    return PlainTextResponse("well")


def application() -> FastAPI:
    app = FastAPI()
    for number in range(ROUTES):
        app.router.add_route(f"/things{number}/{{id}}", well)
    return app


def bare() -> Any:
    return application()


def ours() -> Any:
    from esteio.web import Measure

    app = application()
    app.add_middleware(Measure, measurements=Measurements())
    return app


def instrumentator() -> Any:
    from prometheus_client import CollectorRegistry
    from prometheus_fastapi_instrumentator import Instrumentator

    app = application()
    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return app


def exporter() -> Any:
    from starlette_exporter import PrometheusMiddleware

    app = application()
    app.add_middleware(PrometheusMiddleware, group_paths=True)
    return app


def candidates() -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {"bare": bare, "ours": ours}
    if find_spec("prometheus_fastapi_instrumentator"):
        found["prometheus-fastapi-instrumentator"] = instrumentator
    if find_spec("starlette_exporter"):
        found["starlette-exporter"] = exporter
    return found


async def one_round(app: Any) -> float:
    """Microseconds a request."""
    path = f"/things{ROUTES // 20}/1"
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": [(b"host", b"x")],
        "client": ("127.0.0.1", 1), "server": ("x", 80),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        return None

    began = time.process_time()  # of the processor: what else runs on the machine takes turns with us
    for _ in range(REQUESTS):
        await app(dict(scope), receive, send)
    return (time.process_time() - began) / REQUESTS * 1e6


async def middleware(rounds: int) -> Claim:
    apps = {name: make() for name, make in candidates().items()}
    times: dict[str, list[float]] = {name: [] for name in apps}
    for turn in range(rounds + 1):
        for name, app in apps.items():
            taken = await one_round(app)
            if turn:  # the first one warms up
                times[name].append(taken)
    medians = {name: statistics.median(each) for name, each in times.items()}
    print({name: round(value, 1) for name, value in medians.items()}, "microseconds a request")
    added = {name: round(value - medians["bare"], 2) for name, value in medians.items() if name != "bare"}
    peers = {name: value for name, value in added.items() if name != "ours"}
    return Claim("middleware", "µs added a request", "lower", added["ours"], peers, target=8.0)


def metrics_page(rounds: int) -> Claim:
    from esteio.web.metrics import exposition

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "m")
        with Measurements.create(path, workers=4) as made:
            workers = [Measurements(path) for _ in range(4)]
            for worker in workers:
                for number in range(ROUTES):
                    worker.slot.record(worker.slot.add(Key(HTTP, "GET", "2xx", f"/things{number}/{{id}}")), 0.004)
            times = []
            for _ in range(max(3, rounds)):
                began = time.process_time()
                exposition(made, "text/plain")
                times.append((time.process_time() - began) * 1e3)
            for worker in workers:
                worker.close()
    return Claim("metrics page", "ms for 200 routes", "lower", round(statistics.median(times), 2), target=15.0)


def filled(path: Path) -> None:
    """Ninety days of ten checks and five series: as a monitor writes them, but all at once."""
    chance, now = random.Random(1), time.time()
    history = History(path, gap=86_400.0)
    names = ["requests.rate", "requests.errors", "requests.p50", "requests.p95", "requests.p99"]
    for day in range(90, 0, -1):
        observations = []
        for minute in range(0, 1440, 5):
            at = now - day * 86_400 + minute * 60
            state = State.DOWN if chance.random() < 0.002 else State.UP
            values = {name: chance.lognormvariate(2, 0.5) for name in (*names, *(f"check{n}" for n in range(9)))}
            states = {SERVICE: (state, ""), **{f"check{n}": (state, "") for n in range(9)}}
            observations.append(Observation(at, values, states))
        history.observe(*observations)
    history.close()


def operations_page(rounds: int) -> list[Claim]:
    from esteio.web.operations import render

    report = Report(Status.PASS, {})
    with tempfile.TemporaryDirectory() as directory:
        path, measurements = Path(directory, "h"), Measurements()
        filled(path)
        for number in range(ROUTES):
            at = measurements.slot.add(Key(HTTP, "GET", "2xx", f"/things{number}/{{id}}"))
            measurements.slot.record(at, 0.004)
        claims = []
        for window in ("24h", "7d", "90d"):
            times = []
            for _ in range(max(3, rounds)):
                began = time.process_time()
                render(measurements, HistoryReader(path), report, window=window)
                times.append((time.process_time() - began) * 1e3)
            claims.append(
                Claim(f"operations page {window}", "ms", "lower", round(statistics.median(times), 2), target=30.0)
            )
        size = path.stat().st_size / 1e6
    return [*claims, Claim("history", "MB for 14 series x 90 days", "lower", round(size, 1), target=4.5)]


OPERATOR = """
import asyncio, sys
from pathlib import Path
from esteio.health import HostMonitor, Measurements, Monitor, checks
folder = Path(sys.argv[1])
found = [checks.disk(folder, name=f"disk{n}:free") for n in range(5)] + [checks.clock(name=f"clock{n}:x") for n in range(5)]
with HostMonitor(folder / "h", Measurements(folder / "m"), lambda: Monitor(found), every=60.0):
    sys.stdin.read()
"""


def operator(seconds: int) -> list[Claim]:
    """After ten seconds, in which it begins."""
    import subprocess

    import psutil

    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        with Measurements.create(folder / "m", workers=4):
            workers = [Measurements(folder / "m") for _ in range(4)]
            for worker in workers:
                for number in range(ROUTES):
                    worker.slot.record(worker.slot.add(Key(HTTP, "GET", "2xx", f"/things{number}/{{id}}")), 0.004)
            running = subprocess.Popen([sys.executable, "-c", OPERATOR, directory], stdin=subprocess.PIPE)
            process = psutil.Process(running.pid)
            time.sleep(10)
            before = sum(process.cpu_times()[:2])
            time.sleep(seconds)
            used = 100 * (sum(process.cpu_times()[:2]) - before) / seconds
            memory = process.memory_info().rss / 1e6
            running.communicate(b"", timeout=30)
            for worker in workers:
                worker.close()
    return [
        Claim("operator", "% of a processor", "lower", round(used, 2), target=1.0),
        Claim("operator memory", "MB", "lower", round(memory, 1), target=80.0),
    ]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    claims = [asyncio.run(middleware(rounds)), metrics_page(rounds), *operations_page(rounds), *operator(2 * rounds)]
    publish("health", claims, PEERS)


if __name__ == "__main__":
    main()
