"""A connection that won the race to be opened has an owner or is closed, also when its caller leaves while the others end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from threading import RLock
from types import SimpleNamespace
from typing import Any

import pytest

from esteio.clock import SYSTEM
from esteio.postgres._connect import Opener
from esteio.postgres._hosts import Target


class Opened:
    """Stands for a connection: all that the race asks of one."""

    def __init__(self) -> None:
        self.host, self.watch, self.dropped = None, None, False

    def drop(self) -> None:
        self.dropped = True


@dataclass(frozen=True)
class Server:
    """Stands for a host."""

    address: str


class TwoServers(Opener):
    """The first answers at once, the second takes its time to end."""

    def __init__(self) -> None:
        self._name, self._clock, self._watch, self._only = "shop", SYSTEM, None, None
        self._target, self._lock, self.last, self.failovers = Target.ANY, RLock(), None, 0
        self._fleet = SimpleNamespace(hosts=(), failed=lambda *_: None)  # type: ignore[assignment]
        self.won, self.ending, self.may_end = Opened(), asyncio.Event(), asyncio.Event()

    def _candidates(self) -> list[Any]:
        return [Server("slow"), Server("quick")]

    async def _attempt(self, host: Server) -> Any:  # type: ignore[override]
        if host.address == "quick":
            return self.won
        try:
            await asyncio.Event().wait()
        finally:
            self.ending.set()
            await self.may_end.wait()


@pytest.mark.parametrize("leaves", [True, False])
async def test_the_winner_is_closed_where_its_caller_left_while_the_others_ended(leaves: bool) -> None:
    servers = TwoServers()
    opening = asyncio.create_task(servers.open())
    await servers.ending.wait()
    if leaves:
        opening.cancel()
    servers.may_end.set()
    if leaves:
        with pytest.raises(asyncio.CancelledError):
            await opening
    else:
        assert await opening is servers.won
    assert servers.won.dropped is leaves
