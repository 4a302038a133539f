"""A store at work in one event loop: its clients of nodes, and what they share.

Promises: one server has one client, a Cluster one for each primary. The map of a Cluster is asked for anew when a node
sends a key elsewhere or a connection is lost; nobody waits for it longer than for a decision.
"""

from __future__ import annotations

import asyncio
from random import random

import hiredis

from esteio.limit._decision import Decision
from esteio.limit._errors import LimitError
from esteio.limit.redis._address import Address, Node
from esteio.limit.redis._connect import Credentials, open_wire, primary_by_sentinels
from esteio.limit.redis._errors import Trouble, trouble
from esteio.limit.redis._local import Epoch
from esteio.limit.redis._node import NodeClient
from esteio.limit.redis._script import Unit
from esteio.limit.redis._shared import Shared, Tuning, decide_locally, run_forever
from esteio.limit.redis._slots import SlotMap, slot
from esteio.limit.redis._wire import Wire

__all__ = ["ClusterSession", "Session", "SingleSession"]

_REST = 0.05  # seconds between two looks at the map, about; longer while nobody knows it

Answer = asyncio.Future[list[Decision]] | list[Decision]


class SingleSession:
    """One server, or the primary that Sentinels name."""

    def __init__(
        self, address: Address, credentials: Credentials, sentinels: Credentials, shared: Shared, tuning: Tuning
    ) -> None:
        self._address = address
        self._credentials = credentials
        self._sentinels = sentinels
        self._nodes = list(address.nodes)
        self._timeout = tuning.connect_timeout
        self._shared = shared
        presence = f"{shared.prefix}instances"
        self._primary: Node | None = None
        self._client = NodeClient(
            str(address),
            self._connect,
            shared,
            tuning,
            owns=lambda _: True,
            presence_key=lambda: presence,
            verify=self._still_primary if address.kind == "sentinel" else None,
        )

    @property
    def clients(self) -> tuple[NodeClient, ...]:
        """The only one."""
        return (self._client,)

    def submit(self, unit: Unit) -> Answer:
        """Decide a unit."""
        return self._client.submit(unit)

    async def _connect(self) -> Wire:
        node = self._nodes[0]
        if self._address.kind == "sentinel":
            node = self._primary = await self._named()
        return await open_wire(node, self._credentials, self._timeout)

    async def _named(self) -> Node:
        return await primary_by_sentinels(self._nodes, self._address.service, self._sentinels)

    async def _still_primary(self) -> None:
        """Leave a server that was replaced without hearing of it: cut off from the Sentinels, but not from here."""
        try:
            named = await self._named()
        except Trouble:
            return  # that no Sentinel answers says nothing against the server
        if named != self._primary:
            raise Trouble("readonly", f"the Sentinels name {named[0]}:{named[1]} as the primary")

    async def close(self) -> None:
        """End it."""
        await self._client.close()


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
        self._unreachable: Trouble | None = None
        self._clients: dict[Node, NodeClient] = {}
        self._homeless: list[Unit] = []
        self._wanted = asyncio.Event()
        self._endings: set[asyncio.Task[None]] = set()
        self._pause = _REST
        self._learner = self._loop.create_task(
            run_forever(f"limits of {shared.name}: the map of {address}", self._learn, tuning.retry_after),
            name=f"limits {address}: map",
        )
        self._wanted.set()

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
        client = self._client_for(names[0])
        if client is not None:
            return client.submit(unit)
        self._wanted.set()
        if self._unreachable is not None or len(self._homeless) >= self._tuning.waiting:
            return self._decide_locally(unit)
        unit.future = self._loop.create_future()
        self._homeless.append(unit)
        self._loop.call_later(self._tuning.wait, self._give_up, unit)
        return unit.future

    def _client_for(self, name: str) -> NodeClient | None:
        if self._map is None:
            return None
        node = self._map.owner(name)
        return None if node is None else self._clients.get(node)

    def _give_up(self, unit: Unit) -> None:
        if unit in self._homeless:
            self._homeless.remove(unit)
        if unit.waits():
            unit.settle(self._decide_locally(unit))

    def _decide_locally(self, unit: Unit) -> list[Decision]:
        reason = "moved" if self._unreachable is None else self._unreachable.reason
        return decide_locally(unit, self._shared, reason, self._tuning.instances, self._epoch)

    # -- the map

    def _moved(self, units: list[Unit]) -> None:
        """Take units that a node would not decide; they go where the next map says, in what is left of the budget."""
        self._wanted.set()
        self._homeless.extend(units)
        for unit in units:
            self._loop.call_later(self._tuning.wait / 4, self._give_up, unit)

    async def _learn(self) -> None:
        """Wait until the map is wanted, and ask for it; not again before a while."""
        await self._wanted.wait()
        self._wanted.clear()
        try:
            self._take(await self._asked())
            self._pause = _REST
        except Exception as error:  # noqa: BLE001 - whatever it is, attempts go on
            self._unreachable = trouble(error)
            self._wanted.set()
            for unit in tuple(self._homeless):
                self._give_up(unit)
            self._pause = min(2 * self._pause, self._tuning.retry_max)
        await asyncio.sleep(self._pause * (0.5 + random()))  # noqa: S311 - jitter

    async def _asked(self) -> SlotMap:
        last = Trouble("gone", "no nodes")
        for node in dict.fromkeys((*self._clients, *self._address.nodes)):
            try:
                wire = await open_wire(node, self._credentials, min(0.5, self._tuning.connect_timeout))
            except Trouble as error:
                last = error
                continue
            try:
                async with asyncio.timeout(0.5):
                    return SlotMap(await wire.ask("CLUSTER", "SLOTS"), node)
            except (OSError, hiredis.HiredisError, Trouble) as error:
                last = Trouble("moved", str(error))
            finally:
                wire.abort()
        raise last

    def _take(self, found: SlotMap) -> None:
        self._map, self._unreachable, self._epoch = found, None, Epoch()
        for node in found.nodes - self._clients.keys():
            self._clients[node] = self._client_of(node)
        for node in self._clients.keys() - found.nodes:
            task = self._loop.create_task(self._clients.pop(node).close())
            self._endings.add(task)
            task.add_done_callback(self._endings.discard)
        homeless, self._homeless = self._homeless, []
        for unit in (each for each in homeless if each.waits()):
            client = self._client_for(unit.names[0])
            if client is not None:
                client.resubmit(unit)
            else:
                unit.settle(self._decide_locally(unit))

    def _client_of(self, node: Node) -> NodeClient:
        first = True

        async def connect() -> Wire:
            nonlocal first
            if not first:
                self._wanted.set()  # it may not be the owner any more
            first = False
            return await open_wire(node, self._credentials, self._tuning.connect_timeout)

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
        self._learner.cancel()
        await asyncio.gather(self._learner, *(client.close() for client in self.clients), return_exceptions=True)
        for unit in tuple(self._homeless):
            self._give_up(unit)
        await asyncio.gather(*self._endings, return_exceptions=True)


Session = SingleSession | ClusterSession
