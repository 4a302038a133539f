"""One worker process of the tests: python host_worker.py STORE COUNTER; reads commands, one JSON list a line.

race AT KEY ALGORITHM RATE HITS: eight tasks begin AT that moment, HITS hits each; answers how many passed. hold KEY:
takes the lock of the key's set and keeps it. hammer KEY ALGORITHM RATE: hits without end, and counts in the file
COUNTER what passed.
"""

import asyncio
import json
import mmap
import sys
import time

from esteio.limit import Hit, HostStore, Limit, RateLimiter, SyncRateLimiter


def limit(algorithm: str, rate: int) -> Limit:
    return Limit(rate, 3_600, algorithm=algorithm, name="shared")  # type: ignore[arg-type]


async def race(store: HostStore, at: float, key: str, algorithm: str, rate: int, hits: int) -> int:
    limiter = RateLimiter(store)
    passed = 0

    async def task() -> None:
        nonlocal passed
        for _ in range(hits):
            decision = await limiter.hit(key, limit(algorithm, rate))
            assert not decision.degraded
            passed += decision.allowed
            await asyncio.sleep(0)

    await asyncio.sleep(at - time.monotonic())
    await asyncio.gather(*(task() for _ in range(8)))
    return passed


def hold(store: HostStore, key: str) -> str:
    assert store._locks.acquire([store._place(Hit(key, limit("window", 1)))[0]])
    return "held"


def hammer(store: HostStore, counter: str, key: str, algorithm: str, rate: int) -> None:
    limiter = SyncRateLimiter(store)
    with open(counter, "r+b") as file:
        count = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
    print(json.dumps("hammering"), flush=True)
    while True:
        if limiter.hit(key, limit(algorithm, rate)).allowed:
            count[0] += 1


def main() -> None:
    store = HostStore(sys.argv[1], patience=10)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        what, *rest = json.loads(line)
        if what == "race":
            answer: object = asyncio.run(race(store, *rest))
        elif what == "hold":
            answer = hold(store, *rest)
        else:
            hammer(store, sys.argv[2], *rest)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
