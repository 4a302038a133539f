"""Claim: 1,000 callers at once, through a Redis that answers after 10 ms, get no decision that Redis did not make.

Every caller hits a key of its own again as soon as it was answered, so more hits wait than one call decides, and the
queue is never empty. A line in a process of its own brings each piece of the answers 10 ms late, whatever else is on its
way, as a network does. All settings of the store are the defaults. No peer batches, so none stands beside it.

Run alone: python -m benchmarks.limiting.backlog
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.report import Claim

from esteio.limit import Limit, RateLimiter
from esteio.limit.redis import RedisStore
from esteio.testing.redis import RedisServer

PEERS = ()
CALLERS, DELAY, SECONDS_A_ROUND = 1000, 0.01, 0.05


@contextmanager
def slow_way(port: int) -> Iterator[str]:
    """The address of a proxy before `port`."""
    command = [sys.executable, "-m", "benchmarks.limiting.backlog", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        yield f"redis://127.0.0.1:{int(proxy.stdout.readline())}"
        proxy.communicate()  # it ends with its input


async def serve(port: int) -> None:
    """Be that line until the input ends."""
    loop = asyncio.get_running_loop()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late: float) -> None:
        while data := await reader.read(1 << 18):
            loop.call_later(late, writer.write, data)
        loop.call_later(late, writer.close)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, questions, 0.0), carry(answers, writer, DELAY), return_exceptions=True)

    line = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(line.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


async def measure(rounds: int) -> list[Claim]:
    """The claim `backlog`."""
    with RedisServer() as server, slow_way(server.port) as url:
        limiter, limit = RateLimiter(store := RedisStore(url)), Limit(10**6, 60)
        for _ in range(500):  # until it is connected
            if not (await limiter.hit("warm", limit)).degraded:
                break
            await asyncio.sleep(0.01)
        end = asyncio.get_running_loop().time() + rounds * SECONDS_A_ROUND

        async def caller(number: int) -> int:
            degraded = 0
            while asyncio.get_running_loop().time() < end:
                degraded += (await limiter.hit(f"192.0.2.{number}", limit)).degraded
                await asyncio.sleep(0)  # a decision without Redis does not wait, and would keep the others waiting
            return degraded

        degraded = sum(await asyncio.gather(*(caller(number) for number in range(CALLERS))))
        await store.close()
    return [Claim("backlog", "degraded decisions", "lower", float(degraded), target=0.0)]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(serve(int(sys.argv[1])))
    else:
        print(asyncio.run(measure(60)))
