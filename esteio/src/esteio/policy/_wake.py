"""Waking a task from any thread."""

from __future__ import annotations

from asyncio import Future, _get_running_loop, get_running_loop
from collections.abc import Callable

__all__ = ["future_and_wake"]


def future_and_wake() -> tuple[Future[None], Callable[[], None]]:
    """A future of the running loop, and what ends the wait for it: from any thread, any number of times."""
    loop = get_running_loop()
    woken: Future[None] = loop.create_future()

    def finish() -> None:
        if not woken.done():
            woken.set_result(None)

    def wake() -> None:
        if _get_running_loop() is loop:
            finish()  # at once: a turn of the loop later, a newcomer could be served first
            return
        try:
            loop.call_soon_threadsafe(finish)
        except RuntimeError:
            return  # the waiter's loop has been closed, and the waiter with it

    return woken, wake
