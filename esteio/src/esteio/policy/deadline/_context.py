"""What code inside a deadline can ask, and how a deadline crosses HTTP.

The header carries the milliseconds that are left, not a moment: clocks of two machines differ, and the time
on the wire is lost on the safe side only by the receiver's own limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import inf

from esteio.clock import SYSTEM, Clock
from esteio.policy._errors import DeadlineExceeded
from esteio.policy._parameters import seconds
from esteio.policy._scope import OPEN_END, SCOPE, leave, time_source

__all__ = ["HEADER", "check", "detached", "from_headers", "headers", "remaining", "within"]

HEADER = "Esteio-Deadline-Ms"


def remaining() -> float | None:
    """Seconds left for the running call, 0.0 when time is up; None without a deadline or timeout around."""
    expires, now, _ = SCOPE.get()
    return None if expires == inf else max(0.0, expires - now())


def check(name: str = "the running call") -> None:
    """Raise DeadlineExceeded when time is up: for loops of plain functions."""
    if remaining() == 0.0:
        raise DeadlineExceeded(name)


@contextmanager
def within(limit: float, clock: Clock = SYSTEM) -> Iterator[None]:
    """A deadline of `limit` seconds for what runs inside; never later than the one around it.

    It clips the policies inside; by itself it stops nothing.
    """
    seconds("within", "limit", limit, zero=True)
    outer = SCOPE.get()
    now = time_source(clock)
    left = min(limit, outer[0] - outer[1]())
    token = SCOPE.set((now() + left, now, outer[2]))
    try:
        yield
    finally:
        leave(token)


@contextmanager
def detached() -> Iterator[None]:
    """No deadline and no outer retry for what is begun inside: for background tasks that outlive their caller."""
    token = SCOPE.set(OPEN_END)
    try:
        yield
    finally:
        leave(token)


def headers() -> dict[str, str]:
    """What to send along with an HTTP request; empty without a deadline."""
    left = remaining()
    return {} if left is None else {HEADER: str(int(left * 1000))}


def from_headers(received: Mapping[str, str], limit: float) -> float:
    """Seconds that a caller leaves us, for `within()`: what the header says, at most `limit`; garbage is ignored."""
    text = received.get(HEADER) or received.get(HEADER.lower()) or ""
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        return limit
    return min(limit, int(text) / 1000)
