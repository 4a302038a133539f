"""An order that somebody gives on the page: isolate a circuit, or reset it.

Promises: a form that another site sent is refused, by what the browser says of it. The answer comes when all workers have
carried the order out, or after two seconds: who has no scripts sees what became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from esteio.health import CircuitOrder, Measurements
from esteio.web._health_metrics import circuits

__all__ = ["Permit", "carry_out", "read_order"]

Permit = Callable[[Request, Mapping[str, str]], Awaitable[Response | None]]
_ORDERS = {"isolate": CircuitOrder.ISOLATE, "reset": CircuitOrder.RESET}
_LARGEST = 8_192  # bytes of a form
_PATIENCE, _STEP = 2.0, 0.1  # seconds
_ISOLATED, _CLOSED = "forced open", "closed"


async def read_order(request: Request) -> Mapping[str, str] | Response:
    """The form; or why it is none of ours."""
    if not _from_here(request):
        return PlainTextResponse("another site sent this form\n", 403)
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST:
            return PlainTextResponse(f"the form is larger than {_LARGEST} bytes\n", 413)
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
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


def _from_here(request: Request) -> bool:
    """As far as browsers say (Fetch Metadata; before it, the origin); programs that say nothing are no browsers."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
