"""Claim: limits through redis-py's connection are decided at no less than 0.9 of the rate of a connection written by hand.

Two stores of the same settings ask one server in one run and take turns: ours, over redis-py, and one over `ByHand`,
an asyncio protocol that does nothing but feed hiredis and call who asked. So the figure is the price of having redis-py
carry the protocol. The median of the rounds' ratios is shown, so that noise that hits both alike is not seen.

Run alone: python -m benchmarks.limiting.carried [rounds]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, cast
from unittest.mock import patch

import hiredis
from benchmarks.limiting.through_redis import CALLERS, Hit, time_alone, time_callers
from benchmarks.report import Claim
from redis.exceptions import ResponseError

from esteio.limit import Limit, RateLimiter
from esteio.limit.redis import RedisStore
from esteio.limit.redis._connection import Connection
from esteio.limit.redis._errors import RedisFailure
from esteio.testing.redis import RedisServer

PEERS = ("redis", "hiredis")
INCOMPLETE = object()


class ByHand(asyncio.Protocol):
    """What a store needs of a connection, and nothing between it and the socket."""

    ask = Connection.ask
    ask_packed = Connection.ask_packed

    def __init__(self) -> None:
        self._reader = hiredis.Reader(notEnoughData=INCOMPLETE, replyError=ResponseError)
        self._receivers: deque[Callable[[Any], None]] = deque()
        self._transport: asyncio.Transport
        self.on_lost: Callable[[RedisFailure], None] | None = None
        self.error: RedisFailure | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, payload: bytes, receive: Callable[[Any], None]) -> None:
        self._receivers.append(receive)
        self._transport.write(payload)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (answer := self._reader.gets(False)) is not INCOMPLETE:
            self._receivers.popleft()(answer)

    def abort(self) -> None:
        self.error = RedisFailure("gone")
        self._transport.abort()


async def by_hand(node: tuple[str, int], *_: object) -> ByHand:
    """Takes the place of `connected`."""
    _, connection = await asyncio.get_running_loop().create_connection(ByHand, *node)
    return connection


async def connected_store(url: str, name: str) -> tuple[RedisStore, Hit]:
    """A store whose connection is open, and what hits a key there."""
    store = RedisStore(url, prefix=f"{name}:", budget=5.0)
    limiter, limit = RateLimiter(store), Limit(10**6, 60)
    for _ in range(500):  # until it is connected
        if not (await limiter.hit("warm", limit)).degraded:
            break
        await asyncio.sleep(0.01)
    return store, lambda key: limiter.hit(key, limit)


async def measure(rounds: int) -> list[Claim]:
    """The claims `carried, 64 callers` and `carried, one caller`."""
    with RedisServer() as server:
        ours, hit = await connected_store(server.url, "redis-py")
        with patch("esteio.limit.redis._single.connected", by_hand):
            other, hit_by_hand = await connected_store(server.url, "by hand")
        many, one = [], []
        for number in range(rounds + 2):
            order = (hit, hit_by_hand) if number % 2 else (hit_by_hand, hit)
            rates = {each: (await time_callers(each, number), await time_alone(each, number)) for each in order}
            many.append(rates[hit][0] / rates[hit_by_hand][0])
            one.append(rates[hit][1] / rates[hit_by_hand][1])
        await ours.close()
        await other.close()
    return [
        Claim(
            f"carried, {CALLERS} callers",
            "of a hand's rate",
            "higher",
            round(statistics.median(many[2:]), 3),
            target=0.9,
        ),
        Claim("carried, one caller", "of a hand's rate", "higher", round(statistics.median(one[2:]), 3)),
    ]


if __name__ == "__main__":
    for claim in asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 60)):
        print(claim)
