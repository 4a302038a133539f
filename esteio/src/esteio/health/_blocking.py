"""Probes that can only block: a disk, a name, a handshake, a file."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from esteio.health._check import Unwell

__all__ = ["BlockingProbe"]


class BlockingProbe:
    """A probe that blocks, in a thread of its own: none of a pool that others need, and never two at a time."""

    def __init__(self, ask: Callable[[], float], name: str) -> None:
        self._ask = ask
        self._name = name
        self._began: float | None = None

    async def __call__(self) -> float:
        if self._began is not None:
            raise Unwell(f"no answer for {time.monotonic() - self._began:.0f} s")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[float] = loop.create_future()
        self._began = time.monotonic()
        threading.Thread(target=self._run, args=(loop, answer), name=f"health {self._name}", daemon=True).start()
        return await answer

    def _run(self, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[float]) -> None:
        value: float | BaseException
        try:
            value = self._ask()
        except Exception as error:  # noqa: BLE001 - the check makes it an answer
            value = error
        self._began = None
        try:
            loop.call_soon_threadsafe(_settle, answer, value)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return


def _settle(answer: asyncio.Future[float], value: float | BaseException) -> None:
    if answer.done():
        return
    if isinstance(value, BaseException):
        answer.set_exception(value)
    else:
        answer.set_result(value)
