"""Events of policies on the current OpenTelemetry span, attempts as spans below it, and events as a counter.

Promises: without an SDK it costs next to nothing and fails never. Attribute names are `esteio.` and the field of the event. An
attempt is known from the first failure on: that one is an event of the current span, each attempt that follows a span of its
own, `<pipeline> attempt <n>`, from the end of the wait to its result. Needs the extra `otel`.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("otel"):
    import opentelemetry  # noqa: F401 - whether it is there

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import fields
from time import time_ns

from opentelemetry import metrics, trace

from esteio.events import Event, subscribe
from esteio.policy._events import AttemptFailed, Recovered, RetriesGaveUp

__all__ = ["trace_policies"]

# When the next attempt of a pipeline begins. Replaced whole: tasks that run side by side share what it held before.
_begins: ContextVar[Mapping[str, int]] = ContextVar("esteio.policy.attempts", default={})  # noqa: B039 - never changed


def _attributes(event: Event) -> dict[str, str | int | float]:
    found: dict[str, str | int | float] = {}
    for field in fields(event):
        value = getattr(event, field.name)
        if value is not None:
            found[f"esteio.{field.name}"] = value if isinstance(value, str | int | float) else repr(value)
    return found


def _end_attempt(tracer: trace.Tracer, event: Event, number: int, now: int, *, failed: bool) -> None:
    began = _begins.get().get(event.name)
    if began is None or not trace.get_current_span().is_recording():
        return
    span = tracer.start_span(
        f"{event.name} attempt {number}", attributes=_attributes(event), start_time=min(began, now)
    )
    if failed:
        span.set_status(trace.StatusCode.ERROR)
        if (error := getattr(event, "error", None)) is not None:
            span.set_attribute("error.type", type(error).__name__)
    span.end(now)


def _follow(tracer: trace.Tracer, event: Event) -> None:
    now = time_ns()
    match event:
        case AttemptFailed(name, attempt, _, wait, _):
            _end_attempt(tracer, event, attempt, now, failed=True)
            _begins.set({**_begins.get(), name: now + int(wait * 1e9)})
        case Recovered(name, attempts, _):
            _end_attempt(tracer, event, attempts, now, failed=False)
            _forget(name)
        case RetriesGaveUp(name, attempts, _, _, _):
            _end_attempt(tracer, event, attempts, now, failed=True)
            _forget(name)


def _forget(name: str) -> None:
    _begins.set({key: value for key, value in _begins.get().items() if key != name})


def trace_policies(
    tracer_provider: trace.TracerProvider | None = None, meter_provider: metrics.MeterProvider | None = None
) -> Callable[[], None]:
    """Tell spans and the counter from now on; the returned function ends that."""
    tracer = trace.get_tracer("esteio.policy", tracer_provider=tracer_provider)
    counter = metrics.get_meter("esteio.policy", meter_provider=meter_provider).create_counter(
        "esteio.policy.events", description="by kind and name"
    )

    def hook(event: Event) -> None:
        if not type(event).__module__.startswith("esteio.policy"):
            return
        kind = type(event).__name__
        trace.get_current_span().add_event(kind, _attributes(event))
        counter.add(1, {"esteio.event": kind, "esteio.name": event.name})
        _follow(tracer, event)

    return subscribe(hook)
