"""Claim: 1,000 callers at once, through a Redis that answers after 10 ms, get no decision that Redis did not make.

Every caller hits a key of its own again as soon as it was answered, so more hits wait than one call decides, and the
queue is never empty. A proxy in a process of its own holds each piece of the answers back for 10 ms. All settings of the
store are the defaults. No peer batches, so none stands beside it.

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
from esteio.testing import FlakyProxy
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


def serve(port: int) -> None:
    """Be that proxy until the input ends."""
    with FlakyProxy(("127.0.0.1", port)) as proxy:
        proxy.delay(DELAY, "down")
        print(proxy.address[1], flush=True)
        sys.stdin.read()


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
        serve(int(sys.argv[1]))
    else:
        print(asyncio.run(measure(60)))
