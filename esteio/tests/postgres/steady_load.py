"""A steady stream of requests, and what became of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

__all__ = ["Load", "until"]


class Load:
    """`rate` requests a second from `request(number)`, begun on time whatever becomes of the earlier ones."""

    def __init__(self, request: Callable[[int], Awaitable[object]], rate: float) -> None:
        self._request = request
        self._rate = rate
        self.failures: list[Exception] = []
        self.ended_at: list[float] = []
        self.slowest = 0.0
        self.sent = 0

    async def __aenter__(self) -> Load:
        self._task = asyncio.create_task(self._send())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await asyncio.gather(*self._open)

    def first_success_after(self, moment: float) -> float:
        """Seconds from `moment` (monotonic) to the first request that succeeded after it."""
        return min(ended for ended in self.ended_at if ended > moment) - moment

    async def _send(self) -> None:
        self._open: set[asyncio.Task[None]] = set()
        began = time.monotonic()
        while True:
            task = asyncio.create_task(self._one(self.sent))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            self.sent += 1
            await asyncio.sleep(max(0.0, began + self.sent / self._rate - time.monotonic()))

    async def _one(self, number: int) -> None:
        began = time.monotonic()
        try:
            await self._request(number)
        except Exception as error:  # noqa: BLE001 - it is what is counted
            self.failures.append(error)
        else:
            self.ended_at.append(time.monotonic())
            self.slowest = max(self.slowest, self.ended_at[-1] - began)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Return when `condition` holds; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - processes outside of this one have no event to wait for
            await asyncio.sleep(0.01)
