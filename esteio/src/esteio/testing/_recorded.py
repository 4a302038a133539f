"""What a test can look back on, and waits that it need not sit through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from esteio import events
from esteio.events import Event
from esteio.policy._test_switches import SWITCHES

__all__ = ["no_retries", "no_waits", "recorded_events"]


@contextmanager
def recorded_events() -> Iterator[list[Event]]:
    """All events emitted inside, in order."""
    seen: list[Event] = []
    end = events.subscribe(seen.append)
    try:
        yield seen
    finally:
        end()


@contextmanager
def no_waits() -> Iterator[None]:
    """Inside, retries wait zero seconds, in the whole process; everything else stays as it is."""
    before, SWITCHES.waits = SWITCHES.waits, False
    try:
        yield
    finally:
        SWITCHES.waits = before


@contextmanager
def no_retries() -> Iterator[None]:
    """Inside, every retry makes one attempt and no hedge starts a copy, in the whole process.

    For tests of how an application answers when something fails. `Database.run` goes on repeating what only
    PostgreSQL can decide, as a serialization failure.
    """
    before, SWITCHES.attempts = SWITCHES.attempts, 1
    try:
        yield
    finally:
        SWITCHES.attempts = before
