"""Limits that all instances share through Redis.

Promises: a decision within `budget` seconds, whatever Redis does, not counting time for which the event loop itself
stood still; Redis decides while it answers, and what waits in one turn of the event loop is one call. While it is away
each limit's `on_failure` decides, with a `reason` on every decision; what was let pass meanwhile is charged when it is
back. No exceptions but `LimitError` for hits that can't be. May be used from several event loops, each with its own
connection, and after a fork.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex
from socket import gethostname
from typing import Final

from esteio.clock import SYSTEM, Clock
from esteio.limit._decision import Decision
from esteio.limit._errors import LimitError
from esteio.limit._limit import Hit, Limit, check_count, check_hit, check_seconds
from esteio.limit._time import microseconds
from esteio.limit.redis._address import Address, parse
from esteio.limit.redis._cluster import ClusterSession
from esteio.limit.redis._connection import Credentials
from esteio.limit.redis._local import Local, Memory
from esteio.limit.redis._script import Mode, Unit, state_key
from esteio.limit.redis._shared import NodeSnapshot, Shared, Tuning
from esteio.limit.redis._single import SingleSession

__all__ = ["RedisSnapshot", "RedisStore"]

Session = SingleSession | ClusterSession


@dataclass(frozen=True, slots=True)
class RedisSnapshot:
    """A store at one moment, in the event loop that asks.

    `nodes`: one for each server. `local_keys` are counted here now; `forgotten` hits were let pass here and will
    never be charged, because more than `local_keys` keys were used in an outage.
    """

    name: str
    nodes: tuple[NodeSnapshot, ...]
    local_keys: int
    forgotten: int


class RedisStore:
    """Keeps what was used in Redis: one server, a primary named by Sentinels, or a Cluster.

    `url`: `redis://`, `rediss://` (TLS), `unix:///path?db=0`, `redis+sentinel://host:port,host:port/service` or
    `redis+cluster://host:port,host:port`, each with `user:password@` in front of the hosts if wanted; `password` takes
    its place, and where there is neither, the environment's REDIS_PASSWORD. `sentinel_password` is for the Sentinels
    themselves. `tls` is a context to use instead of the default one.

    `budget`: seconds a decision may take; Redis is given four fifths of it. `prefix` begins every key. `batch`: hits
    (or groups of them) of one call; `waiting`: how many may wait to be sent. `instances`: how many are assumed until
    Redis has been heard; `ttl`: seconds after which a silent one is not counted, and for which one that comes back
    waits for the others. `retry_after`, `retry_max`: seconds between attempts to come back, doubled each time up to
    the second. `local_keys`: keys counted here in an outage; of half as many the last answer is known. Raises
    `RedisAddressError`, and `LimitError` for a number outside its bounds.
    """

    remote: Final = True

    def __init__(
        self,
        url: str,
        *,
        password: str | None = None,
        sentinel_password: str = "",
        tls: ssl.SSLContext | None = None,
        name: str = "redis",
        prefix: str = "esteio:limit:",
        budget: float = 0.05,
        connect_timeout: float = 1.0,
        batch: int = 256,
        waiting: int = 10_000,
        instances: int = 1,
        ttl: float = 3.0,
        retry_after: float = 0.2,
        retry_max: float = 2.0,
        local_keys: int = 100_000,
        clock: Clock = SYSTEM,
    ) -> None:
        check_seconds("budget", budget, 0.001, 60.0)
        check_seconds("connect_timeout", connect_timeout, 0.01, 60.0)
        check_count("batch", batch, 1, 1000)
        check_count("waiting", waiting, 1, 10_000_000)
        check_count("instances", instances, 1, 1_000_000)
        check_seconds("ttl", ttl, 0.1, 3600.0)
        check_seconds("retry_after", retry_after, 0.01, 3600.0)
        check_seconds("retry_max", retry_max, retry_after, 3600.0)
        check_count("local_keys", local_keys, 128, 10_000_000)
        if not isinstance(prefix, str) or "{" in prefix or "}" in prefix:
            raise LimitError("prefix", prefix, "text without braces, which mark hash tags")
        if not isinstance(url, str):
            raise LimitError("url", url, "text such as redis://127.0.0.1:6379/0")
        self.name = name
        self.budget = budget
        self.address: Address = _address(url, password)
        self._credentials = Credentials.of(self.address, tls)
        self._sentinels = Credentials("", sentinel_password, 0, self._credentials.tls)
        self._prefix = prefix
        self._tuning = Tuning(budget, connect_timeout, batch, waiting, instances, ttl, retry_after, retry_max)
        self._local_keys = local_keys
        self._now_us = microseconds(clock)
        self._sessions: dict[asyncio.AbstractEventLoop, tuple[Session, Shared]] = {}
        self._latest: tuple[asyncio.AbstractEventLoop | None, Session | None] = (None, None)

    # -- what an AsyncStore does

    async def decide(self, hits: Sequence[Hit], *, charge: bool) -> list[Decision]:
        """Decide several hits, all or nothing."""
        prefix = self._prefix
        names = [state_key(prefix, hit[0], hit[1]) for hit in hits]
        answer = self._session().submit(Unit(hits, names, Mode.DECIDE if charge else Mode.PEEK))
        return answer if type(answer) is list else await answer  # type: ignore[misc]

    async def refund(self, key: str, limit: Limit, cost: int = 1) -> None:
        """Give back what a hit charged."""
        await self._amend(key, limit, cost, Mode.REFUND)

    async def reset(self, key: str, limit: Limit) -> None:
        """Forget all that `key` used of `limit`; while Redis is away, as soon as it is back."""
        await self._amend(key, limit, 1, Mode.RESET)

    async def _amend(self, key: str, limit: Limit, cost: int, mode: int) -> None:
        check_hit(key, cost)
        name = state_key(self._prefix, key, limit)
        answer = self._session().submit(Unit((Hit(key, limit, cost),), (name,), mode))
        if not isinstance(answer, list):
            await answer

    # -- its life

    async def start(self) -> None:
        """Begin to connect, before the first hit has to wait for it; returns at once."""
        self._session()

    async def close(self) -> None:
        """End the connections of this event loop; who waits is answered at once. A later hit connects again."""
        loop = asyncio.get_running_loop()
        session, _ = self._sessions.pop(loop, (None, None))
        self._latest = (None, None)
        if session is not None:
            await session.close()

    def snapshot(self) -> RedisSnapshot:
        """The numbers of this moment, of the running event loop."""
        session, shared = self._sessions.get(asyncio.get_running_loop(), (None, None))
        if session is None or shared is None:
            return RedisSnapshot(self.name, (), 0, 0)
        nodes = tuple(client.snapshot() for client in session.clients)
        return RedisSnapshot(self.name, nodes, len(shared.local), shared.local.forgotten)

    def _session(self) -> Session:
        loop = asyncio.get_running_loop()
        latest, session = self._latest
        if latest is loop and session is not None:
            return session
        for old in [each for each in tuple(self._sessions) if each.is_closed()]:
            self._sessions.pop(old, None)
        found = self._sessions.get(loop)
        if found is None:
            found = self._sessions[loop] = self._new_session()
        self._latest = (loop, found[0])
        return found[0]

    def _new_session(self) -> tuple[Session, Shared]:
        memory = Memory(self._local_keys // 2)
        cluster = self.address.kind == "cluster"
        shared = Shared(
            name=self.name,
            prefix=self._prefix,
            me=f"{gethostname()}:{os.getpid()}:{token_hex(4)}",
            now_us=self._now_us,
            memory=memory,
            local=Local(self._local_keys, memory),
            declared=not cluster,
        )
        if cluster:
            return ClusterSession(self.address, self._credentials, shared, self._tuning), shared
        return SingleSession(self.address, self._credentials, self._sentinels, shared, self._tuning), shared


def _address(url: str, password: str | None) -> Address:
    found = parse(url, password)
    return found if found.password or password is not None else parse(url, os.environ.get("REDIS_PASSWORD"))
