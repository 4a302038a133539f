"""Claim: a key that Redis has denied is denied again 500,000 times a second; a peer asks Redis each time.

All candidates have used up the same limit of the same server, and take turns in hitting it again, one after
another on one event loop. Medians of the rounds.
"""

from __future__ import annotations

import statistics
from contextlib import AsyncExitStack
from time import perf_counter

from benchmarks.limiting.through_redis import OURS, RATE, RAW, Hit, candidates
from benchmarks.report import Claim

from esteio.testing.redis import RedisServer

PEERS = ("limits", "throttled-py", "pyrate-limiter")
KEY, HITS, HITS_OF_PEERS = "denied", 4_000, 40


async def time_denials(hit: Hit, hits: int) -> float:
    """Denials a second."""
    began = perf_counter()
    for _ in range(hits):
        await hit(KEY)
    return hits / (perf_counter() - began)


async def measure(rounds: int) -> list[Claim]:
    """The claim `denied`."""
    with RedisServer() as server:
        async with AsyncExitStack() as stack:
            hits = await candidates(server.url, stack)
            del hits[RAW]
            figures: dict[str, list[float]] = {name: [] for name in hits}
            for hit in hits.values():
                for _ in range(RATE + 1):
                    await hit(KEY)
            for _ in range(rounds):
                for name, hit in hits.items():
                    figures[name].append(await time_denials(hit, HITS if name.startswith("esteio") else HITS_OF_PEERS))
    medians = {name: round(statistics.median(each), 1) for name, each in figures.items()}
    return [Claim("denied", "denials/s", "higher", medians.pop(OURS), medians, target=500_000)]
