"""One of several processes that race for the same keys: `racer.py URL PROCESSES ROUNDS`; prints what it was allowed."""

import asyncio
import json
import sys
import time

from redis import Redis

from esteio.limit import Limit, RateLimiter
from esteio.limit.redis import RedisStore

RATE, TASKS, HITS = 50, 8, 4


def together(client: Redis, gate: str, processes: int) -> None:
    client.incr(gate)
    end = time.monotonic() + 30
    while int(client.get(gate) or 0) < processes and time.monotonic() < end:  # type: ignore[arg-type]
        time.sleep(0.0005)


async def main(url: str, processes: int, rounds: int) -> None:
    store = RedisStore(url, budget=20.0)  # the machine may be busy; what counts here is the count
    limiter = RateLimiter(store)
    allowed: dict[str, int] = {}
    with Redis.from_url(url) as client:
        for number in range(rounds):
            for algorithm in ("window", "counter", "gcra", "fixed"):
                limit = Limit(RATE, 86_400, algorithm=algorithm)  # type: ignore[arg-type]
                key = f"{algorithm} {number}"

                async def task(key: str = key, limit: Limit = limit) -> int:
                    decisions = [await limiter.hit(key, limit) for _ in range(HITS)]
                    assert not any(each.degraded for each in decisions)
                    return sum(map(bool, decisions))

                together(client, f"gate {key}", processes)
                allowed[key] = sum(await asyncio.gather(*(task() for _ in range(TASKS))))
    await store.close()
    print(json.dumps(allowed))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
