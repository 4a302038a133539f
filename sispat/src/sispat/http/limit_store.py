"""Where the limits are counted, and what a setting means as a limit.

Promises: with Redis all machines count together; without it the processes that `sispat serve` started count
together, in a file it made; a process alone counts for itself. Making the store connects to nothing.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from esteio.limit import HostStore, HostStoreError, Limit, MemoryStore, RateLimiter
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _
from sispat.settings import Quota, Settings

if TYPE_CHECKING:
    from esteio.limit.redis import RedisStore

__all__ = ["HOST_LIMITS", "LimitStore", "close", "limit", "limit_store", "redis_probe", "start"]

HOST_LIMITS = "ESTEIO_HOST_LIMITS"  # the environment's name for the file; from `sispat serve` to its workers

LimitStore: TypeAlias = "MemoryStore | HostStore | RedisStore"

_logger = logging.getLogger("sispat.limites")


def limit_store(settings: Settings) -> LimitStore:
    """The store that these settings and this process' parent ask for."""
    if settings.redis_url is not None:
        from esteio.limit.redis import RedisStore

        password = settings.redis_password.get_secret_value() if settings.redis_password else None
        return RedisStore(
            settings.redis_url.get_secret_value(),
            password=password,
            prefix="sispat:limite:",
            instances=settings.workers,
        )
    path = os.environ.get(HOST_LIMITS)
    if path:
        try:
            return HostStore(path)
        except HostStoreError as error:
            _logger.warning("este processo conta os limites sozinho: %s", error)
    return MemoryStore()


class RedisAway(SispatError):
    """Redis decides nothing for now; `reason` says why."""

    code = "sem-redis"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            _("o Redis não responde (%(reason)s); cada processo permite a sua parte dos limites", reason=reason)
        )


def redis_probe(limiter: RateLimiter) -> Callable[[], Awaitable[float]]:
    """A probe: milliseconds that Redis takes for a decision; raises `RedisAway`."""
    probe = Limit(1, 1, name="health")

    async def measure() -> float:
        began = time.perf_counter()
        decision = await limiter.peek("health", probe)
        if decision.degraded:
            raise RedisAway(decision.reason)
        return (time.perf_counter() - began) * 1000

    return measure


async def start(store: LimitStore) -> None:
    """Begin to connect, so that the first decision does not have to wait for it."""
    if not isinstance(store, MemoryStore | HostStore):
        await store.start()


async def close(store: LimitStore) -> None:
    """Let go of connections or of the file."""
    if isinstance(store, HostStore):
        store.close()
    elif not isinstance(store, MemoryStore):
        await store.close()


def limit(name: str, quota: Quota) -> Limit:
    """`quota` as a limit; while Redis is away each process keeps to its part."""
    return Limit(quota.amount, quota.seconds, name=name, on_failure="local")
