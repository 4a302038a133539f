"""The connections to a Redis Cluster, in one event loop.

Promises: each primary has one client. The map of slots is asked for again when a node sends a key elsewhere or a
connection is lost; nobody waits for it longer than for a decision.
"""

from __future__ import annotations

import asyncio
from itertools import count
from random import random
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import RedisError

from esteio.limit._decision import Decision
from esteio.limit._errors import LimitError
from esteio.limit.redis._address import Address, Node
from esteio.limit.redis._connection import Connection, Credentials, connected
from esteio.limit.redis._errors import RedisFailure, classify
from esteio.limit.redis._local import Epoch
from esteio.limit.redis._node import NodeClient
from esteio.limit.redis._script import Unit, raw
from esteio.limit.redis._shared import Shared, Tuning, decide_locally, run_forever
from esteio.policy._backoff import Exponential

__all__ = ["ClusterSession", "slot"]

_REST = 0.05  # seconds between two looks at the map, about; longer while nobody knows it

Answer = asyncio.Future[list[Decision]] | list[Decision]


def slot(name: str) -> int:
    """The slot of a state key, which may hold what UTF-8 can't."""
    return key_slot(raw(name))


class SlotMap:
    """The node of every slot."""

    def __init__(self, answer: Any, asked: Node) -> None:
        self._owners: list[Node | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        try:
            for first, last, primary, *_ in answer:
                node = (primary[0].decode() or asked[0], int(primary[1]))
                self._owners[first : last + 1] = [node] * (last + 1 - first)
        except (TypeError, ValueError, AttributeError) as error:
            raise RedisFailure("corrupt", f"CLUSTER SLOTS says {answer!r:.80}") from error
        self.nodes = {node for node in self._owners if node is not None}
        if not self.nodes:
            raise RedisFailure("moved", "no node has any slots")

    def owner(self, name: str) -> Node | None:
        """The node of a key; None when its slot is nobody's."""
        return self._owners[slot(name)]

    def key_on(self, node: Node, prefix: str) -> str:
        """A key that begins with `prefix` and belongs to `node`; the same for everybody with the same map."""
        if node not in self.nodes:
            return prefix
        return next(key for key in (f"{prefix}{{{n}}}" for n in count()) if self.owner(key) == node)


class ClusterSession:
    """The primaries of a Cluster."""

    def __init__(self, address: Address, credentials: Credentials, shared: Shared, tuning: Tuning) -> None:
        self._loop = asyncio.get_running_loop()
        self._address = address
        self._credentials = credentials
        self._shared = shared
        self._tuning = tuning
        self._epoch = Epoch()
        self._map: SlotMap | None = None
        self._unreachable: RedisFailure | None = None
        self._clients: dict[Node, NodeClient] = {}
        self._unrouted: list[Unit] = []
        self._map_wanted = asyncio.Event()
        self._endings: set[asyncio.Task[None]] = set()
        self._pauses = Exponential(_REST, cap=max(_REST, tuning.retry_max))
        self._map_failures = 0  # in a row
        self._map_task = self._loop.create_task(
            run_forever(f"limits of {shared.name}: the map of {address}", self._refresh_map, tuning.retry_after),
            name=f"limits {address}: map",
        )
        self._map_wanted.set()

    @property
    def clients(self) -> tuple[NodeClient, ...]:
        """One for each primary that is known."""
        return tuple(self._clients.values())

    def submit(self, unit: Unit) -> Answer:
        """Decide a unit; LimitError when its keys are in several slots."""
        names = unit.names
        if len(names) > 1 and len({slot(name) for name in names}) > 1:
            shown = ", ".join(sorted({key for key, _, _ in unit.hits}))
            raise LimitError("hits", shown, "keys with one hash tag in a Cluster, as in '{ana}:write' and '{ana}:read'")
        client = self._client_of(names[0])
        if client is not None:
            return client.submit(unit)
        self._map_wanted.set()
        if self._unreachable is not None or len(self._unrouted) >= self._tuning.waiting:
            return self._decide_locally(unit)
        unit.future = self._loop.create_future()
        self._unrouted.append(unit)
        self._loop.call_later(self._tuning.wait, self._give_up, unit)
        return unit.future

    def _client_of(self, name: str) -> NodeClient | None:
        if self._map is None:
            return None
        node = self._map.owner(name)
        return None if node is None else self._clients.get(node)

    def _give_up(self, unit: Unit) -> None:
        """Decide here what still has no node; by a timer, so the unit may be on its way or answered by now."""
        if unit in self._unrouted:
            self._unrouted.remove(unit)
        if unit.waits():
            unit.settle(self._decide_locally(unit))

    def _decide_locally(self, unit: Unit) -> list[Decision]:
        reason = "moved" if self._unreachable is None else self._unreachable.reason
        return decide_locally(unit, self._shared, reason, self._tuning.instances, self._epoch)

    # -- the map

    def _moved(self, units: list[Unit]) -> None:
        """Keep units that a node refused for their slot until the next map says where they go, within their budget."""
        self._map_wanted.set()
        self._unrouted.extend(units)
        for unit in units:
            self._loop.call_later(self._tuning.wait / 4, self._give_up, unit)

    async def _refresh_map(self) -> None:
        """Wait until the map is wanted, fetch it, and pause, so that a storm of MOVED fetches it once."""
        await self._map_wanted.wait()
        self._map_wanted.clear()  # before it is fetched: who wants it meanwhile wants a newer one
        try:
            self._use_map(await self._fetch_map())
            self._map_failures = 0
        except Exception as error:  # noqa: BLE001 - whatever it is, attempts go on
            self._unreachable = classify(error)
            self._map_wanted.set()
            for unit in tuple(self._unrouted):
                self._give_up(unit)
            self._map_failures += 1
        await asyncio.sleep(self._pauses.step(self._map_failures) * (0.5 + random()))  # noqa: S311 - jitter

    async def _fetch_map(self) -> SlotMap:
        last = RedisFailure("gone", "no nodes")
        for node in dict.fromkeys((*self._clients, *self._address.nodes)):
            try:
                connection = await connected(node, self._credentials, min(0.5, self._tuning.connect_timeout))
            except RedisFailure as error:
                last = error
                continue
            try:
                async with asyncio.timeout(0.5):
                    return SlotMap(await connection.ask("CLUSTER", "SLOTS"), node)
            except (OSError, RedisError, RedisFailure) as error:
                last = RedisFailure("moved", str(error))
            finally:
                connection.abort()
        raise last

    def _use_map(self, found: SlotMap) -> None:
        self._map, self._unreachable, self._epoch = found, None, Epoch()
        for node in found.nodes - self._clients.keys():
            self._clients[node] = self._make_client(node)
        for node in self._clients.keys() - found.nodes:
            task = self._loop.create_task(self._clients.pop(node).close())
            self._endings.add(task)
            task.add_done_callback(self._endings.discard)
        unrouted, self._unrouted = self._unrouted, []
        for unit in (each for each in unrouted if each.waits()):
            client = self._client_of(unit.names[0])
            if client is not None:
                client.resubmit(unit)
            else:
                unit.settle(self._decide_locally(unit))

    def _make_client(self, node: Node) -> NodeClient:
        first = True

        async def connect() -> Connection:
            nonlocal first
            if not first:
                self._map_wanted.set()  # it may not be the owner any more
            first = False
            return await connected(node, self._credentials, self._tuning.connect_timeout)

        def owns(name: str) -> bool:
            return self._map is not None and self._map.owner(name) == node

        def presence() -> str:
            assert self._map is not None
            return self._map.key_on(node, f"{self._shared.prefix}instances:")

        label = f"cluster {node[0]}:{node[1]}"
        return NodeClient(
            label, connect, self._shared, self._tuning, owns=owns, presence_key=presence, on_moved=self._moved
        )

    async def close(self) -> None:
        """End all clients."""
        self._map_task.cancel()
        await asyncio.gather(self._map_task, *(client.close() for client in self.clients), return_exceptions=True)
        for unit in tuple(self._unrouted):
            self._give_up(unit)
        await asyncio.gather(*self._endings, return_exceptions=True)
