"""Claim: the middleware adds less than 60 microseconds to the p50 of an application at 64 connections.

The application (Starlette, a list of 50 as JSON) runs three times on uvicorn, one process each: without limits, with ours,
with slowapi's ASGI middleware; all count in memory. 64 connections stay open and send 640 requests a second together,
evenly spread, so that what is measured is an answer and not a queue. The three take turns, a second each; the figure is
the median of the rounds' p50, less that of the application alone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from benchmarks.report import Claim

PEERS: tuple[str, ...] = ("slowapi",)
CONNECTIONS = 64
RATE = 640
ROOT = Path(__file__).parents[2]
NAMES = ("plain", "ours", "slowapi") if find_spec("slowapi") else ("plain", "ours")


class Client(asyncio.Protocol):
    """One connection that stays open: a request, and how long its whole answer took."""

    REQUEST = b"GET /items HTTP/1.1\r\nHost: x\r\n\r\n"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.answered: asyncio.Future[float] | None = None
        self._left = 0

    async def ask(self) -> float:
        self.answered = asyncio.get_running_loop().create_future()
        self._began = time.perf_counter()
        self.transport.write(self.REQUEST)
        return await self.answered

    def data_received(self, data: bytes) -> None:
        if not self._left:
            head, _, _ = data.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            self._left = len(head) + 4 + length
        self._left -= len(data)
        if not self._left and self.answered is not None:
            self.answered.set_result(time.perf_counter() - self._began)


async def measure(rounds: int) -> list[Claim]:
    """The claim `middleware`."""
    p50: dict[str, list[float]] = {name: [] for name in NAMES}
    async with served() as ports:
        clients = {name: await connected(port) for name, port in ports.items()}
        for turn in range(max(3, rounds // 6) + 1):
            for name in NAMES:
                times = await one_turn(clients[name])
                if turn:  # the first one warms up
                    p50[name].append(statistics.median(times))
        for client in (each for several in clients.values() for each in several):
            client.transport.close()
    medians = {name: statistics.median(times) * 1e6 for name, times in p50.items()}
    print({name: round(value, 1) for name, value in medians.items()}, "microseconds p50")
    added = {name: round(value - medians["plain"], 1) for name, value in medians.items() if name != "plain"}
    peers = {name: value for name, value in added.items() if name != "ours"}
    return [Claim("middleware", "µs p50 added", "lower", added["ours"], peers, target=60.0)]


async def one_turn(clients: list[Client], seconds: float = 1.0) -> list[float]:
    """Every connection asks in its turn, at its time."""
    each = CONNECTIONS / RATE

    async def talk(number: int, client: Client) -> list[float]:
        begin = loop.time() + each * number / CONNECTIONS
        times = []
        for request in range(round(seconds / each)):
            await asyncio.sleep(begin + request * each - loop.time())
            times.append(await client.ask())
        return times

    loop = asyncio.get_running_loop()
    answers = await asyncio.gather(*(talk(number, client) for number, client in enumerate(clients)))
    return [seconds for several in answers for seconds in several]


async def connected(port: int) -> list[Client]:
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(Client, "127.0.0.1", port) for _ in range(CONNECTIONS)]
    return [client for _, client in made]


@asynccontextmanager
async def served() -> AsyncIterator[dict[str, int]]:
    """The applications, each in a process of its own: their ports."""
    ports = {name: free_port() for name in NAMES}
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "benchmarks.limiting.served:app",
        "--no-access-log",
        "--log-level",
        "error",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    processes = [
        await asyncio.create_subprocess_exec(*command, "--port", str(port), env=environment | {"LIMITED_BY": name})
        for name, port in ports.items()
    ]
    try:
        for port in ports.values():
            await answering(port)
        yield ports
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            await asyncio.wait_for(process.wait(), 20)


async def answering(port: int, limit: float = 20.0) -> None:
    end = time.monotonic() + limit
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
    return port
