"""What a test can look back on, and waits that it need not sit through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from esteio import events
from esteio.events import Event
from esteio.policy import _waits

__all__ = ["no_waits", "recorded_events"]


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
    before = _waits.switch(False)
    try:
        yield
    finally:
        _waits.switch(before)
