"""The connections of one worker: which wait for what since when, and which have to go.

Promises: pure bookkeeping in constant time for each step; time comes in as monotonic seconds. A connection with a request
in flight is never closed to make room, and one that began to wait less than `_YOUNG` seconds ago only when there are
`CROWD` times as many as allowed: a client that sends at once is served however many others only hold connections.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from esteio.serve._settings import ConnectionLimits

__all__ = ["CROWD", "Connections"]

C = TypeVar("C")

CROWD = 4
_YOUNG = 1.0  # seconds; a request that is sent at once arrives sooner, even when thousands connect in the same moment


@dataclass(slots=True, eq=False)
class _Address(Generic[C]):
    trusted: bool
    count: int = 0
    waiting: OrderedDict[C, None] = field(default_factory=OrderedDict)


class Connections(Generic[C]):
    """`trusted`: addresses and networks of proxies, whose connections are many people's; "*" trusts all."""

    def __init__(self, limits: ConnectionLimits, trusted: Iterable[str] = ()) -> None:
        self._limits = limits
        trusted = [each.strip() for each in trusted if each.strip()]
        self._all_trusted = "*" in trusted
        self._trusted = [network for each in trusted if (network := _network(each)) is not None]
        # In the order in which they began to wait. OrderedDict, because the first of a dict is found in time that grows
        # with how many were taken from its front.
        self._heads: OrderedDict[C, float] = OrderedDict()
        self._idle: OrderedDict[C, float] = OrderedDict()
        self._addresses: dict[str, _Address[C]] = {}
        self._address_of: dict[C, str] = {}

    def __len__(self) -> int:
        return len(self._address_of)

    def __iter__(self) -> Iterator[C]:
        return iter(list(self._address_of))

    def add(self, connection: C, address: str, now: float) -> None:
        """A new one from `address` ("" where it has none), whose first request is waited for."""
        self._address_of[connection] = address
        record = self._addresses.get(address)
        if record is None:
            record = self._addresses[address] = _Address(self._is_trusted(address))
        record.count += 1
        self.wait_for_head(connection, now)

    def remove(self, connection: C) -> None:
        """It is closed, or not ours any more; a second time has no effect."""
        address = self._address_of.pop(connection, None)
        if address is None:
            return
        self._heads.pop(connection, None)
        self._idle.pop(connection, None)
        record = self._addresses[address]
        record.waiting.pop(connection, None)
        record.count -= 1
        if not record.count:
            del self._addresses[address]

    def wait_for_head(self, connection: C, now: float) -> None:
        """Its next request has begun to arrive, or its first is due."""
        self._wait(self._heads, self._idle, connection, now)

    def wait_idle(self, connection: C, now: float) -> None:
        """Its last response is complete, and nothing of a next request has come."""
        self._wait(self._idle, self._heads, connection, now)

    def is_idle(self, connection: C) -> bool:
        """Whether nothing is expected of it."""
        return connection in self._idle

    def serve(self, connection: C) -> None:
        """It has a request in flight from now on."""
        address = self._address_of.get(connection)
        if address is not None:
            self._heads.pop(connection, None)
            self._idle.pop(connection, None)
            self._addresses[address].waiting.pop(connection, None)

    def late_heads(self, now: float) -> list[C]:
        """Those whose request did not arrive within `head_timeout`."""
        late = []
        for connection, since in self._heads.items():
            if now - since < self._limits.head_timeout:
                break
            late.append(connection)
        return late

    def surplus(self, connection: C, now: float) -> C | None:
        """Which one to close because `connection` was added; None when there is room, or nothing that may be closed."""
        record = self._addresses[self._address_of[connection]]
        if self._beyond(record):
            return next((each for each in record.waiting if each is not connection), None)
        return self.longest_waiting(now, besides=connection)

    def longest_waiting(self, now: float, *, besides: C | None = None) -> C | None:
        """Which one to close because there are too many; None when there are not, or nothing may be closed."""
        if len(self) <= self._limits.connections:
            return None
        for waiting in (self._heads, self._idle):
            oldest = next(iter(waiting), None)
            if oldest is not None and oldest is not besides and (self.crowded or now - waiting[oldest] >= _YOUNG):
                return oldest
        return None

    @property
    def crowded(self) -> bool:
        """Whether there are so many that one has to go for each new one."""
        return len(self) > CROWD * self._limits.connections

    def is_refused(self, connection: C) -> bool:
        """Whether its address has too many, all with a request in flight, so that it is served nothing but a probe."""
        address = self._address_of.get(connection)
        if address is None:
            return False
        return self._beyond(self._addresses[address])

    def _beyond(self, record: _Address[C]) -> bool:
        return record.count > self._limits.per_address and not record.trusted

    def _is_trusted(self, address: str) -> bool:
        if self._all_trusted or not address:
            return True
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return True  # a Unix socket's peer has no address
        return any(ip in network for network in self._trusted)

    def _wait(self, queue: OrderedDict[C, float], other: OrderedDict[C, float], connection: C, now: float) -> None:
        address = self._address_of.get(connection)
        if address is None:
            return
        other.pop(connection, None)
        queue.pop(connection, None)
        queue[connection] = now
        waiting = self._addresses[address].waiting
        waiting.pop(connection, None)
        waiting[connection] = None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:  # "*", or a name that uvicorn's own middleware compares literally
        return None
