"""Requests as OpenTelemetry spans, continued from `traceparent`, and their time as a metric.

Promises: nothing is measured, and a request costs one look, until an SDK is configured: by the application, or by
`start_tracing` from the variables that OpenTelemetry defines. A span has the template of the route and the path that was
asked for, no query, and no header but `traceparent` and `tracestate`; and `esteio.request_id`, by which it is found in the
logs. What the client cancelled is no error. Names are those of the semantic conventions for HTTP (1.23, stable). Needs the
extra `otel`.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("otel"):
    from opentelemetry import metrics, trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import asyncio
import os
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from esteio import correlation
from esteio.web._measure import known_method, route_template

__all__ = ["Tracing", "is_configured", "start_tracing"]

_PROPAGATOR = TraceContextTextMapPropagator()
_CARRIED = (b"traceparent", b"tracestate")
_ASKED_BY = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def is_configured() -> bool:
    """Whether a provider of spans is there: of the SDK, or another one."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider)


class Tracing:
    """ASGI middleware, inside `Measure` and `RequestId`. `tracer_provider`, `meter_provider`: None for the global ones."""

    def __init__(
        self,
        app: ASGIApp,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self.app = app
        self._given = tracer_provider is not None
        self._tracer = trace.get_tracer("esteio.web", tracer_provider=tracer_provider)
        meter = metrics.get_meter("esteio.web", meter_provider=meter_provider)
        self._times = meter.create_histogram("http.server.request.duration", "s", "Time until the answer was whole.")
        self._active = meter.create_up_down_counter("http.server.active_requests", "{request}", "Being answered.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Trace a request."""
        if scope["type"] == "http" and (self._given or is_configured()):
            await self._traced(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = known_method(scope["method"])
        about = {"http.request.method": method, "url.scheme": scope.get("scheme", "http")}
        state = scope.setdefault("state", {})
        span = self._tracer.start_span(
            method, _parent(scope), trace.SpanKind.SERVER, {**about, "url.path": scope["path"]}
        )
        context = span.get_span_context()
        if span.is_recording():
            state["trace_id"] = trace.format_trace_id(context.trace_id)
            span.set_attribute("esteio.request_id", state.get("request_id", ""))
        known = correlation.trace_id.set(state.get("trace_id", ""))
        app, status, began = scope.get("app") or self.app, 0, perf_counter()

        def noting(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            return send(message)

        self._active.add(1, about)
        try:
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                await self.app(scope, receive, noting)
        except (ClientDisconnect, asyncio.CancelledError) as error:
            status = 0  # even if a 500 was answered meanwhile: nobody read it, and it is no error of the service
            span.set_attribute("error.type", type(error).__name__)
            raise
        except BaseException as error:
            status = status or 500
            span.record_exception(error)
            span.set_attribute("error.type", type(error).__name__)
            raise
        finally:
            correlation.trace_id.reset(known)
            self._active.add(-1, about)
            about |= _outcome(span, scope, app, status)
            self._times.record(perf_counter() - began, about, context=trace.set_span_in_context(span))
            span.end()


def _parent(scope: Scope) -> Any:
    carrier = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in _CARRIED}
    return _PROPAGATOR.extract(carrier) if carrier else None


def _outcome(span: trace.Span, scope: Scope, app: object, status: int) -> dict[str, Any]:
    """What is known at the end, put on the span."""
    found: dict[str, Any] = {}
    fastapi = scope.get("fastapi")
    route = (fastapi.get("effective_route_context") if fastapi else None) or scope.get("route")
    endpoint = scope.get("endpoint")
    if route is not None or endpoint is not None:
        found["http.route"] = route_template(route, endpoint, app, scope["path"])
        span.update_name(f"{known_method(scope['method'])} {found['http.route']}")
    if status:
        found["http.response.status_code"] = status
        if status >= 500:
            span.set_status(trace.StatusCode.ERROR)
    span.set_attributes(found)
    return found


def start_tracing(service: str) -> Callable[[], None] | None:
    """Configure the SDK as OTEL_EXPORTER_OTLP_ENDPOINT and the other variables of OpenTelemetry say, and trace everything.

    Requests (where `Tracing` is), statements, policies. `service` is the name unless OTEL_SERVICE_NAME says another one. The
    returned function sends what waits and ends it; None where no variable asks for it. Spans are sent by a thread, in
    batches, and dropped when the collector is away. `ExtraMissing` where it is asked for and the SDK is not installed.
    """
    if not any(os.environ.get(name) for name in _ASKED_BY):
        return None
    with needs("otel"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from esteio.policy.hooks.opentelemetry import trace_policies

    provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", service)}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    ends = [trace_policies(provider), *_statements(provider)]

    def end() -> None:
        for each in ends:
            each()
        provider.shutdown()

    return end


def _statements(provider: trace.TracerProvider) -> list[Callable[[], None]]:
    try:
        from esteio.postgres.opentelemetry import trace_statements
    except ImportError:  # a service without a database
        return []
    return [trace_statements(provider)]
