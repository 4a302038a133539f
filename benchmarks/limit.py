"""Claim: limits are decided faster than anywhere else, in memory, for keys that are denied, and through Redis.

Each claim is a file in benchmarks/limiting/. Rounds are short and take turns between all candidates. Peers that
are not installed are left out (benchmarks/requirements.txt).

Run: python -m benchmarks.limit [rounds]
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks.limiting import backlog, carried, denied, memory, middleware, through_redis
from benchmarks.report import Claim, publish

CLAIMS = (memory, denied, through_redis, carried, backlog, middleware)


async def measure(rounds: int) -> list[Claim]:
    return [claim for each in CLAIMS for claim in await each.measure(rounds)]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    claims = asyncio.run(measure(rounds))
    publish("limit", claims, sorted({package for each in CLAIMS for package in each.PEERS}))


if __name__ == "__main__":
    main()
