"""Claim: what SISPAT's worker spends on a request is no more than the floor's worker spends, which promises nothing.

Processor time of this process for each request, measured without a network: the application is called as its server would
call it, 16 requests at a time, over a real PostgreSQL. That leaves out the HTTP protocol, which all share, and the
database's own work; a busy machine disturbs it little, because the waits do not count. The applications take turns, and of
the many short turns of each the fastest counts, as disturbances only add. Each asks with `Authorization: Bearer`.

    python -m benchmarks.request [--turns 40] [--requests 256]
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop
from benchmarks.http import APPLICATIONS, ASYNCPG, FLOOR, HERE, OURS, database, prepare
from benchmarks.report import Claim, publish

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded

AT_ONCE = 16
Ask = Callable[[], dict[str, Any]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--turns", type=int, default=40)
    arguments.add_argument("--requests", type=int, default=256)
    arguments.add_argument("--size", type=int, default=20_000)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="sispat-request-") as home:
        Path(home).chmod(0o711)  # the server's account has to pass
        server = Embedded(Path(home) / "data")
        try:
            server.start()
            dsn = database(server, "request", options.size)
            os.environ |= {"DATABASE_URL": dsn.url, "PEER_DATABASE_URL": dsn.url, "SISPAT_LIMIT_USER": "1000000/1s"}
            fastest = uvloop.run(measured(dsn, options.turns, options.requests))
        finally:
            server.stop(timeout=10.0)
    publish("request", claims(fastest), ("fastapi", "starlette", "psycopg", "asyncpg", "uvloop"))


async def measured(dsn: Dsn, turns: int, requests: int) -> dict[str, dict[str, float]]:
    """Microseconds of each claim and application."""
    token, asset, _ = prepare(dsn)
    paths = {"one asset": f"/api/patrimonios/{asset}", "list of 50": "/api/patrimonios"}
    fastest = {claim: dict.fromkeys((ASYNCPG, FLOOR, OURS), float("inf")) for claim in paths}
    async with AsyncExitStack() as opened:
        applications = {name: _application(name) for name in fastest["one asset"]}
        for application in applications.values():
            await opened.enter_async_context(application.router.lifespan_context(application))
        for turn in range(turns + 3):  # the first ones open connections and prepare statements
            for claim, path in paths.items():
                for name, application in applications.items():
                    spent = await _spent(application, _scopes(path, token), requests)
                    if turn >= 3:
                        fastest[claim][name] = min(fastest[claim][name], spent)
    return fastest


def _application(name: str) -> Any:
    module, _, attribute = APPLICATIONS[name].partition(":")
    if str(HERE / "peers") not in sys.path:
        sys.path.insert(0, str(HERE / "peers"))
    return getattr(importlib.import_module(module), attribute)


def _scopes(path: str, token: str) -> Ask:
    headers = [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {token}".encode())]
    return lambda: {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "root_path": "", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": headers, "client": ("127.0.0.1", 4711), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip


async def _spent(application: Any, ask: Ask, requests: int) -> float:
    """Microseconds of processor time for each of `requests` requests."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise RuntimeError(f"{ask()['path']}: {message['status']}")

    async def client() -> None:
        for _ in range(requests // AT_ONCE):
            await asyncio.create_task(application(ask(), receive, send))  # a task each, as the server starts one

    began = time.process_time()
    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return (time.process_time() - began) / (requests // AT_ONCE * AT_ONCE) * 1e6


def claims(fastest: dict[str, dict[str, float]]) -> list[Claim]:
    return [
        Claim(
            f"worker's time, {claim}",
            "us",
            "lower",
            by[OURS],
            {ASYNCPG: by[ASYNCPG]},
            floor=by[FLOOR],
            target=by[FLOOR],
        )
        for claim, by in fastest.items()
    ]


if __name__ == "__main__":
    main()
