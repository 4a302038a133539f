"""Statements as OpenTelemetry spans, below the span of whoever asked for them, and their time as a metric.

Promises: a statement outside of a recorded span makes none, so that what nobody traces costs a look; texts are without
literals. Names of spans and attributes are those of the semantic conventions for databases (1.33, stable). Needs the extras
`otel` and `postgres`.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("otel"):
    from opentelemetry import metrics, trace

from collections.abc import Callable
from time import time_ns

from esteio.postgres._fingerprint import fingerprint, normalised
from esteio.postgres._watch import observe_statements

__all__ = ["trace_statements"]


def trace_statements(
    tracer_provider: trace.TracerProvider | None = None, meter_provider: metrics.MeterProvider | None = None
) -> Callable[[], None]:
    """Make a span of each statement of every database from now on; the returned function ends that."""
    tracer = trace.get_tracer("esteio.postgres", tracer_provider=tracer_provider)
    times = metrics.get_meter("esteio.postgres", meter_provider=meter_provider).create_histogram(
        "db.client.operation.duration", "s", "Time of a statement, as its caller saw it."
    )

    def ended(database: str, sql: str, seconds: float, error: BaseException | None) -> None:
        operation = sql.lstrip("( \n\t").partition(" ")[0].upper()[:20] or "?"
        about = {"db.system.name": "postgresql", "db.namespace": database, "db.operation.name": operation}
        times.record(seconds, about)
        if not trace.get_current_span().is_recording():
            return
        text, ends = normalised(sql), time_ns()
        span = tracer.start_span(
            operation,
            kind=trace.SpanKind.CLIENT,
            attributes={**about, "db.query.text": text, "esteio.fingerprint": fingerprint(text)},
            start_time=ends - int(seconds * 1e9),
        )
        if error is not None:
            span.set_attribute("error.type", type(error).__name__)
            if (state := getattr(error, "sqlstate", None)) is not None:
                span.set_attribute("db.response.status_code", state)
            span.set_status(trace.StatusCode.ERROR)
        span.end(ends)

    return observe_statements(ended)
