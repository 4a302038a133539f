"""Claim: a key that a remote store has denied is denied again 500,000 times a second.

The store is one that has to be awaited, and is asked twice in all: which one it is makes no difference to what is
measured, the way of a hit through `RateLimiter`. The median of the rounds is shown.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from time import perf_counter

from benchmarks.report import Claim

from esteio.limit import Decision, Hit, Limit, MemoryStore, RateLimiter

PEERS: tuple[str, ...] = ()
HITS = 5_000


class Remote:
    """Has to be awaited."""

    remote = True

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.asked = 0

    async def decide(self, hits: Sequence[Hit], *, charge: bool) -> list[Decision]:
        self.asked += 1
        return self.store.decide_now(hits, charge=charge)

    async def refund(self, key: str, limit: Limit, cost: int = 1) -> None:
        self.store.refund_now(key, limit, cost)

    async def reset(self, key: str, limit: Limit) -> None:
        self.store.reset_now(key, limit)


async def measure(rounds: int) -> list[Claim]:
    """The claim `denied`."""
    store = Remote()
    limiter, limit = RateLimiter(store), Limit(1, 3_600, name="login")
    await limiter.hit("key", limit)
    figures = []
    for _ in range(rounds + 2):
        began = perf_counter()
        for _ in range(HITS):
            await limiter.hit("key", limit)
        figures.append(HITS / (perf_counter() - began))
    assert store.asked == 2
    return [Claim("denied", "hits/s", "higher", round(statistics.median(figures[2:]), 1), target=500_000)]
