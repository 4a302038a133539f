"""Time as a dependency.

Promises: everything in Esteio that waits or measures takes a `Clock`, in `float` seconds that never
run backwards; wall time is only for what people or other machines read. Tests pass
`esteio.testing.ManualClock` and never sleep.
"""

from __future__ import annotations

from time import monotonic, sleep, time
from typing import Protocol

__all__ = ["SYSTEM", "Clock", "SystemClock"]


class Clock(Protocol):
    """What may be asked of time."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never runs backwards."""
        ...

    def time(self) -> float:
        """Seconds since the Unix epoch, UTC: for people and other machines, never for measuring."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block the calling thread."""
        ...

    async def sleep_async(self, seconds: float) -> None:
        """Suspend the calling task."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """`time.monotonic`."""
        return monotonic()

    def time(self) -> float:
        """`time.time`."""
        return time()

    def sleep(self, seconds: float) -> None:
        """`time.sleep`."""
        sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """`asyncio.sleep`."""
        from asyncio import sleep as sleep_task  # here: programs without an event loop need not import it

        await sleep_task(seconds)


SYSTEM: Clock = SystemClock()
