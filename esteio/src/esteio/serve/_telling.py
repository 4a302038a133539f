"""An event, told: one line in the log `esteio.serve`, and the record to whoever subscribed."""

from __future__ import annotations

import logging

from esteio import events
from esteio.events import Event
from esteio.serve._events import RollAborted, ServiceDied, ServiceFailed, WorkerDied, WorkerHung

__all__ = ["tell"]

_logger = logging.getLogger("esteio.serve")
_BAD_NEWS = (WorkerDied, WorkerHung, RollAborted, ServiceDied, ServiceFailed)


def tell(event: Event) -> None:
    """Log and emit `event`."""
    _logger.log(logging.WARNING if isinstance(event, _BAD_NEWS) else logging.INFO, "%s", event)
    events.emit(event)
