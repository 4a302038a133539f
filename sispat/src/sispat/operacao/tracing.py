"""Traces of OpenTelemetry, where its variables ask for them (`OTEL_EXPORTER_OTLP_ENDPOINT`).

Promises: without them nothing of it is even imported, because every worker would start later. Where it is asked for and not
installed, the log says which extra brings it, and the service runs without.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys

from starlette.middleware import Middleware

from esteio.extras import ExtraMissing

__all__ = ["tracing"]

_logger = logging.getLogger("sispat.operacao")


def tracing() -> list[Middleware]:
    """The middleware, inside of what names the requests; none where nothing is traced."""
    asked = any(name.startswith("OTEL_EXPORTER_OTLP_") for name in os.environ)
    if not asked and "opentelemetry" not in sys.modules:  # `opentelemetry-instrument` has configured it before us
        return []
    try:
        from esteio.web.opentelemetry import Tracing, is_configured, start_tracing

        ended = start_tracing("sispat")
    except ExtraMissing as missing:
        if asked:
            _logger.warning("nothing is traced: %s", missing)
        return []
    if ended is not None:
        atexit.register(ended)  # sends what waits
    return [Middleware(Tracing)] if is_configured() else []
