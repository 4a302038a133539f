"""Instances tell each other through Redis which circuits are open.

Promises: no call ever waits for Redis; a thread of its own exchanges what is known. What others say makes a
circuit here only suspicious - its next failure opens it - and only when a quorum says so. Redis gone, slow
or full of garbage changes nothing, and is logged once per change. Needs the extra `redis`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from os import getpid
from random import random
from socket import gethostname
from threading import Event as ThreadEvent
from threading import Lock, Thread
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from esteio import events
from esteio.clock import SYSTEM, Clock
from esteio.events import Event
from esteio.policy._events import CircuitChanged
from esteio.policy._parameters import count, seconds
from esteio.policy.breaker import Circuit
from esteio.policy.pipeline import REGISTRY, Registry
from esteio.policy.shared._quorum import suspects

__all__ = ["SharedHints"]

_logger = logging.getLogger("esteio.policy.shared")


class SharedHints:
    """Exchanges openings with the other instances every `every` seconds, from `start()` to `close()`.

    `quorum` is the number of other instances that must have opened a circuit of the same name. `url` is a Redis
    address; `key` a sorted set that all instances use. Both timeouts towards Redis are 0.5 s. Start it
    after forking: its thread does not follow into children.
    """

    def __init__(
        self,
        url: str,
        *,
        quorum: int = 2,
        every: float = 1.0,
        key: str = "esteio:circuits:open",
        instance: str | None = None,
        registry: Registry = REGISTRY,
        clock: Clock = SYSTEM,
    ) -> None:
        self._quorum = count("SharedHints", "quorum", quorum)
        self._every = seconds("SharedHints", "every", every)
        self._key = key
        self._registry = registry
        self._clock = clock
        self._instance = instance or f"{gethostname()}:{getpid()}"
        self._redis = Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5, decode_responses=True)
        self._open: dict[str, float] = {}
        self._closed = set[str]()
        self._lock = Lock()
        self._end = ThreadEvent()
        self._thread: Thread | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._reachable = True

    def start(self) -> None:
        """Begin to listen and to exchange; a second call does nothing."""
        if self._thread is None:
            self._unsubscribe = events.subscribe(self._heard)
            self._thread = Thread(target=self._run, name="esteio-shared-hints", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread and the connection, within about a second."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._end.set()
        if self._thread is not None:
            self._thread.join(2 + self._every)
        self._redis.close()

    def _heard(self, event: Event) -> None:
        if isinstance(event, CircuitChanged):
            with self._lock:
                if event.after == "open":
                    self._open[event.name] = self._clock.time() + (event.open_for or 0.0)
                elif event.after == "closed":
                    self._open.pop(event.name, None)
                    self._closed.add(event.name)

    def _run(self) -> None:
        while not self._end.wait(self._every * (0.9 + 0.2 * random())):  # noqa: S311 - jitter, not a secret
            self.exchange()

    def exchange(self) -> None:
        """Tell what is open here and learn what is open elsewhere, once; errors of Redis are only logged."""
        try:
            self._tell()
            suspicious = suspects(self._others(), self._instance, self._quorum, self._clock.time())
        except (RedisError, OSError, ValueError) as error:
            if self._reachable:
                _logger.warning("shared hints: %r; circuits go on by their own counts alone", error)
            self._reachable = False
            return
        if not self._reachable:
            _logger.info("shared hints: Redis answers again")
        self._reachable = True
        for circuit in self._circuits():
            if circuit.name in suspicious:
                circuit.suspect(3 * self._every)

    def _circuits(self) -> list[Circuit]:
        found = []
        for name in self._registry.names():
            try:
                found.append(self._registry.get(name).circuit)
            except LookupError:
                continue  # a pipeline without a breaker, or gone meanwhile
        return found

    def _tell(self) -> None:
        now = self._clock.time()
        with self._lock:
            opened = {name: until for name, until in self._open.items() if until > now}
            self._open = dict(opened)
            closed, self._closed = self._closed, set()
        commands = self._redis.pipeline(transaction=False)
        commands.zremrangebyscore(self._key, "-inf", now)
        if opened:
            commands.zadd(self._key, {f"{self._instance}|{name}": until for name, until in opened.items()})
        if closed:
            commands.zrem(self._key, *(f"{self._instance}|{name}" for name in closed))
        commands.expire(self._key, 3600)
        commands.execute()

    def _others(self) -> list[tuple[str, str, float]]:
        rows: Any = self._redis.zrange(self._key, 0, 9999, withscores=True)
        found = []
        for member, until in rows:
            instance, _, circuit = str(member).partition("|")
            found.append((circuit, instance, float(until)))
        return found
