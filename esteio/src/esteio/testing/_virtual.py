"""asyncio in virtual time: whenever nothing can run, the loop's clock jumps to the next timer.

Promises: an hour of sleeps and timeouts passes in milliseconds, in the order it would pass in real time.
Real I/O works and takes no virtual time while it is ready; work in other threads is not waited for.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["VirtualClock", "run_virtual"]

R = TypeVar("R")


class _Jumping(selectors.DefaultSelector):
    elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            ready: list[tuple[selectors.SelectorKey, int]] = super().select(None)
            return ready
        ready = super().select(0)
        if not ready and timeout > 0:
            self.elapsed += timeout
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.selector = _Jumping()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.elapsed


class VirtualClock:
    """The `Clock` of a loop in virtual time."""

    def __init__(self, loop: _VirtualLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        """Virtual seconds since the loop began."""
        return self._loop.time()

    def time(self) -> float:
        """Virtual seconds since the epoch."""
        return 1_700_000_000.0 + self._loop.time()

    def sleep(self, seconds: float) -> None:
        """Let time pass for everybody, as a blocking call on the loop would."""
        self._loop.selector.elapsed += seconds

    async def sleep_async(self, seconds: float) -> None:
        """`asyncio.sleep` in virtual time."""
        await asyncio.sleep(seconds)


def run_virtual(main: Callable[[VirtualClock], Coroutine[Any, Any, R]]) -> R:
    """Run `main(clock)` on a loop of its own in virtual time."""
    loop = _VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(VirtualClock(loop)))
