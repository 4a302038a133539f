"""An order that somebody gives on the page: isolate a circuit, or reset it.

Promises: the answer comes when all workers have carried the order out, or after two seconds: who has no scripts sees what
became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from esteio.health import CircuitOrder, Measurements
from esteio.web._health_metrics import circuits
from esteio.web.operations._form import read_form

__all__ = ["Permit", "carry_out", "read_order"]

Permit = Callable[[Request, Mapping[str, str]], Awaitable[Response | str]]
"""The name of the person who gives the order, or what is answered instead."""
_ORDERS = {"isolate": CircuitOrder.ISOLATE, "reset": CircuitOrder.RESET}
_PATIENCE, _STEP = 2.0, 0.1  # seconds
_ISOLATED, _CLOSED = "forced open", "closed"


async def read_order(request: Request) -> Mapping[str, str] | Response:
    """The form; or why it is none of ours."""
    form = await read_form(request)
    if isinstance(form, Response):
        return form
    if form.get("order") not in _ORDERS or not form.get("circuit"):
        return PlainTextResponse(f"the form needs circuit, and order: one of {', '.join(_ORDERS)}\n", 422)
    return form


async def carry_out(measurements: Measurements, form: Mapping[str, str]) -> None:
    """Let all workers do it, and wait until they have."""
    name, order = form["circuit"], _ORDERS[form["order"]]
    measurements.order(name, order)
    wanted = _ISOLATED if order is CircuitOrder.ISOLATE else _CLOSED
    for _ in range(round(_PATIENCE / _STEP)):
        reading = await asyncio.to_thread(measurements.read)
        states = circuits(reading.families).get(name, {"workers": {}})["workers"]
        if states.get(wanted, 0) == sum(states.values()):
            return
        await asyncio.sleep(_STEP)
