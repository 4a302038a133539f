"""The names by which one request is found in logs, traces, metrics and audit: for the work of the moment.

Promises: a name follows its task, the threads that asyncio hands its work to, and the tasks that one starts. Nothing is set
outside of a request.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar

__all__ = ["AddIds", "request_id", "trace_id"]

request_id: ContextVar[str] = ContextVar("esteio.request_id", default="")
"""As `esteio.web.RequestId` named it; '' outside of a request."""
trace_id: ContextVar[str] = ContextVar("esteio.trace_id", default="")
"""As `esteio.web.opentelemetry.Tracing` knows it; '' where nothing is traced."""


class AddIds(logging.Filter):
    """A filter of a handler: records that were made during a request have the attributes `request_id` and `trace_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes."""
        for variable, name in ((request_id, "request_id"), (trace_id, "trace_id")):
            if (value := variable.get()) and not hasattr(record, name):
                setattr(record, name, value)
        return True
