"""Time as the algorithms count it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns

from esteio.clock import SYSTEM, Clock

__all__ = ["microseconds"]


def microseconds(clock: Clock) -> Callable[[], int]:
    """A function that reads `clock` in whole microseconds."""
    if clock is SYSTEM:
        return _system
    return lambda: round(clock.monotonic() * 1_000_000)


def _system() -> int:
    return monotonic_ns() // 1000
