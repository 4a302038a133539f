"""An order about an alert: acknowledge it, silence it for a time, end a silence.

Promises: what is carried out is on the disk before the answer, and counts within seconds. An alert that is over when somebody
acknowledges it needs nobody: the page says so by not showing it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from esteio.alert.monitor import Alerts
from esteio.alert.rules import Silence
from esteio.web.operations._alerts import SILENCES
from esteio.web.operations._form import read_form
from esteio.web.operations._order import Permit

__all__ = ["alert_order_routes"]

_ORDERS = ("acknowledge", "silence", "end-silence")
_LONGEST = 200  # characters of a name
_LONGEST_SILENCE = max(SILENCES)


def alert_order_routes(path: str, alerts: Alerts | None, permit: Permit | None) -> list[Route]:
    """The route that the buttons lead to; none where there are no alerts, or nobody may give orders."""
    if alerts is None or permit is None:
        return []

    async def order(request: Request) -> Response:
        form = await _read(request)
        if isinstance(form, Response):
            return form
        if isinstance(by := await permit(request, form), Response):
            return by
        await asyncio.to_thread(_carry_out, alerts, form, by, time.time())
        return RedirectResponse(f"{path}#alerts", 303)

    return [Route(f"{path}/alerts", order, methods=["POST"])]


async def _read(request: Request) -> Mapping[str, str] | Response:
    """The form; or why it is none of ours."""
    form = await read_form(request)
    if isinstance(form, Response):
        return form
    if form.get("order") not in _ORDERS or not 0 < len(form.get("alert", "")) <= _LONGEST:
        return PlainTextResponse(f"the form needs alert, and order: one of {', '.join(_ORDERS)}\n", 422)
    minutes = form.get("minutes", "")
    if form["order"] == "silence" and not (minutes.isdecimal() and 0 < int(minutes) <= _LONGEST_SILENCE):
        return PlainTextResponse(
            f"a silence needs minutes={minutes!r} to be a whole number from 1 to {_LONGEST_SILENCE}\n", 422
        )
    return form


def _carry_out(alerts: Alerts, form: Mapping[str, str], by: str, now: float) -> None:
    """Do it, as `by`; blocks. OSError or sqlite3.Error when the file can't be written."""
    name = form["alert"]
    if form["order"] == "silence":
        alerts.silence(Silence(name, now + 60 * int(form["minutes"]), by))
    elif form["order"] == "end-silence":
        alerts.end_silence(name)
    else:
        with suppress(KeyError):
            alerts.acknowledge(name, by)
