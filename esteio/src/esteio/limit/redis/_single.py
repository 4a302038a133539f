"""The connection to one server, or to the primary that Sentinels name, in one event loop.

Promises: one server has one client. Each connection goes to the primary the Sentinels name at that moment.
"""

from __future__ import annotations

import asyncio

from redis.exceptions import RedisError

from esteio.limit._decision import Decision
from esteio.limit.redis._address import Address, Node
from esteio.limit.redis._connection import Connection, Credentials, connected
from esteio.limit.redis._errors import RedisFailure, classify
from esteio.limit.redis._node import NodeClient
from esteio.limit.redis._script import Unit
from esteio.limit.redis._shared import Shared, Tuning

__all__ = ["SingleSession"]

_SENTINEL_TIMEOUT = 0.5  # seconds for one Sentinel to let us in, and to answer


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

    def submit(self, unit: Unit) -> asyncio.Future[list[Decision]] | list[Decision]:
        """Decide a unit."""
        return self._client.submit(unit)

    async def _connect(self) -> Connection:
        node = self._nodes[0]
        if self._address.kind == "sentinel":
            node = self._primary = await self._find_primary()
        return await connected(node, self._credentials, self._timeout)

    async def _find_primary(self) -> Node:
        """Where the primary is; a Sentinel that knew is asked first from then on."""
        last = RedisFailure("gone", "no Sentinels")
        for node in tuple(self._nodes):
            try:
                found = await self._ask_sentinel(node)
            except RedisFailure as error:
                last = error
                continue
            self._nodes.remove(node)
            self._nodes.insert(0, node)
            return found
        service = self._address.service
        raise RedisFailure("gone", f"no Sentinel knows the primary of {service!r}; the last one: {last}")

    async def _ask_sentinel(self, sentinel: Node) -> Node:
        connection = await connected(sentinel, self._sentinels, _SENTINEL_TIMEOUT)
        try:
            async with asyncio.timeout(_SENTINEL_TIMEOUT):
                answer = await connection.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._address.service)
        except (OSError, RedisError, RedisFailure) as error:
            raise classify(error) from error
        finally:
            connection.abort()
        if not answer:
            host, port = sentinel
            raise RedisFailure("gone", f"the Sentinel at {host}:{port} does not know {self._address.service!r}")
        return answer[0].decode(), int(answer[1])

    async def _still_primary(self) -> None:
        """Leave a server that was replaced without hearing of it: cut off from the Sentinels, but not from here."""
        try:
            named = await self._find_primary()
        except RedisFailure:
            return  # that no Sentinel answers says nothing against the server
        if named != self._primary:
            raise RedisFailure("readonly", f"the Sentinels name {named[0]}:{named[1]} as the primary")

    async def close(self) -> None:
        """End it."""
        await self._client.close()
