"""The switches that users' tests turn: no waits between attempts, no retries (`esteio.testing`).

Process-wide on purpose: a test of an application does not know its pipelines' clocks, nor their definitions.
"""

from __future__ import annotations

from dataclasses import dataclass

from esteio.clock import Clock

__all__ = ["SWITCHES", "pause", "pause_async"]


@dataclass(slots=True)
class Switches:
    """`waits`: whether retries wait at all. `attempts`: the most that any retry makes, None for what it is told."""

    waits: bool = True
    attempts: int | None = None


SWITCHES = Switches()


def pause(clock: Clock, seconds: float) -> None:
    """Wait in the calling thread; no system call where there is nothing to wait for."""
    if seconds > 0 and SWITCHES.waits:
        clock.sleep(seconds)


async def pause_async(clock: Clock, seconds: float) -> None:
    """Wait in the calling task.

    A wait of zero still gives the loop one turn: a function that fails without suspending would else keep all
    other tasks, and its own cancellation, waiting until its attempts are used up.
    """
    await clock.sleep_async(seconds if SWITCHES.waits else 0.0)
