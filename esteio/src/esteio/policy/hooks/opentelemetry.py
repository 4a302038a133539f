"""Events of policies on the current OpenTelemetry span, and counted by `esteio.policy.events`.

Promises: without an SDK it costs next to nothing and fails never. Attribute names are `esteio.` and the
field of the event. Needs the extra `opentelemetry`.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("opentelemetry"):
    import opentelemetry  # noqa: F401 - whether it is there

from collections.abc import Callable
from dataclasses import fields

from opentelemetry import metrics, trace

from esteio.events import Event, subscribe

__all__ = ["trace_policies"]


def _attributes(event: Event) -> dict[str, str | int | float]:
    found: dict[str, str | int | float] = {}
    for field in fields(event):
        value = getattr(event, field.name)
        if value is not None:
            found[f"esteio.{field.name}"] = value if isinstance(value, str | int | float) else repr(value)
    return found


def trace_policies() -> Callable[[], None]:
    """Tell spans and the counter from now on; the returned function ends that."""
    counter = metrics.get_meter("esteio.policy").create_counter("esteio.policy.events", description="by kind and name")

    def hook(event: Event) -> None:
        if not type(event).__module__.startswith("esteio.policy"):
            return
        kind = type(event).__name__
        trace.get_current_span().add_event(kind, _attributes(event))
        counter.add(1, {"esteio.event": kind, "esteio.name": event.name})

    return subscribe(hook)
