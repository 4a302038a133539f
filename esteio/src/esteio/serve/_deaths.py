"""Lets all processes of a host know that a service beside the workers died."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from esteio import events
from esteio.events import Event
from esteio.serve._events import ServiceDied

__all__ = ["noted_deaths"]


@contextmanager
def noted_deaths(died: Callable[[str, float], None] | None) -> Iterator[None]:
    """Within the block `died(name, at)` hears of services of this process that died, such as `Measurements.board.died`."""

    def hook(event: Event) -> None:
        if isinstance(event, ServiceDied) and died is not None:
            died(event.name, time.time())

    unsubscribe = events.subscribe(hook)
    try:
        yield
    finally:
        unsubscribe()
