"""Time as the algorithms count it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns

from esteio.clock import SYSTEM, Clock

__all__ = ["microseconds", "nanoseconds"]


def microseconds(clock: Clock) -> Callable[[], int]:
    """A function that reads `clock` in whole microseconds."""
    if clock is SYSTEM:
        return _system
    return lambda: round(clock.monotonic() * 1_000_000)


def _system() -> int:
    return monotonic_ns() // 1000


def nanoseconds(clock: Clock) -> Callable[[], int]:
    """The same in nanoseconds: of the system's clock the function itself, for who is in a hurry."""
    return monotonic_ns if clock is SYSTEM else lambda: round(clock.monotonic() * 1_000_000) * 1000
