"""The switch that turns waits between attempts off in users' tests (`esteio.testing.no_waits`).

Attempts, budgets and decisions stay as they are; only the sleeping is left out. Process-wide on purpose:
a test of an application does not know its pipelines' clocks.
"""

from __future__ import annotations

from esteio.clock import Clock

__all__ = ["pause", "pause_async", "switch"]

_on = True


def switch(on: bool) -> bool:
    """Turn waiting on or off; returns what it was."""
    global _on
    before, _on = _on, on
    return before


def pause(clock: Clock, seconds: float) -> None:
    """Wait in the calling thread."""
    clock.sleep(seconds if _on else 0.0)


async def pause_async(clock: Clock, seconds: float) -> None:
    """Wait in the calling task; always lets others run."""
    await clock.sleep_async(seconds if _on else 0.0)
