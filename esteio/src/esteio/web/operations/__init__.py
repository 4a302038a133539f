"""The operations page: how a service is, in one sentence and then in detail, for whoever keeps it running.

Promises: it is server-rendered and whole without scripts, dark and light, and says of everything how old it is; what nobody
knows is "unknown". It needs neither the database nor anything else it reports on. With scripts it renews itself by server-sent
events; a stream ends when its worker drains. Reading happens in a thread. It shows much of the inside: `allow` is asked for
each of its addresses but the style and the script. Orders for circuits reach all workers of the host, and later
ones; orders for alerts reach the monitor that decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from esteio.alert.monitor import Alerts
from esteio.health import HistoryReader, Measurements, Monitor, Report
from esteio.limit.headers import language as preferred
from esteio.maintenance import Maintenance
from esteio.serve import lifecycle
from esteio.web._alerts import health_alerts_route
from esteio.web.operations._alert_order import alert_order_routes
from esteio.web.operations._drilled import drill_routes
from esteio.web.operations._facts import WINDOWS, gather
from esteio.web.operations._order import Permit, carry_out, read_order
from esteio.web.operations._page import page
from esteio.web.operations._report import report_routes
from esteio.web.operations._tables import Orders
from esteio.web.operations._words import LANGUAGES, Words

__all__ = ["health_alerts_route", "operations_routes", "render"]

Allow = Callable[[Request], Awaitable[Response | None]]
_EVERY = 5.0  # seconds between two events
_LONGEST = 300.0  # seconds of a stream; a browser begins another one, which is asked for anew whether it may
_MOST_STREAMS = 50
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_STATIC = {"page.css": "text/css; charset=utf-8", "live.js": "text/javascript; charset=utf-8"}


def operations_routes(
    monitor: Monitor,
    measurements: Measurements,
    history: HistoryReader | None = None,
    *,
    path: str = "/operations",
    title: str = "",
    allow: Allow | None = None,
    maintenance: Maintenance | None = None,
    backups: Path | None = None,
    names: Callable[[str], Mapping[str, str]] = lambda _: {},
    language: Callable[[Request], str] | None = None,
    timezone: str = "UTC",
    permit: Permit | None = None,
    token: Callable[[Request], str | None] = lambda _: "",
    alerts: Alerts | None = None,
    titles: Callable[[str], Mapping[str, str]] = lambda _: {},
    drill: Path | None = None,
) -> list[Route]:
    """Routes of the page at `path`.

    With `permit` circuits and alerts have buttons. It is asked in place of `allow` before an order is carried out, with the
    request and its form (`circuit` or `alert`, `order`, `token`), and keeps what an audit wants to know. It returns the name
    of who gives the order, or what is answered instead.
    `token(request)` is what the form carries so that no other site can send it, None where this person may give no orders.
    A form that a browser says another site sent is refused in any case.

    `history`: what a `HostMonitor` writes. `backups`: the file in which `esteio backup agent` says how they are.
    `alerts`: what an `AlertMonitor` writes; `titles(language)`: what alerts say, by their names. With both
    there is the monthly report, too, as a page and as PDF (extra `report`). `drill`: the
    `drill.json` whose faults and predicted year are shown beside the lived one, with the `drill.html` beside it.
    `names(language)`: what people call the checks. `language(request)`: "pt-BR" or "en"; without it Accept-Language
    decides. `allow` is asked first: what it returns is answered instead, None lets the request in.
    """
    zone, streams = ZoneInfo(timezone), _Streams()
    tongue = language or _preferred

    async def show(request: Request) -> Response:
        if (refusal := await allow(request) if allow is not None else None) is not None:
            return refusal
        window = request.query_params.get("window", "24h")
        words = LANGUAGES[tongue(request)]
        report = await monitor.report()
        html = await asyncio.to_thread(
            render,
            measurements,
            history,
            report,
            window=window,
            closed=maintenance is not None and maintenance.look() is not None,
            backups=backups,
            words=words,
            path=path,
            title=title,
            names=names(words.tag),
            zone=zone,
            orders=_orders(request),
            alerts=alerts,
            titles=titles(words.tag),
            drill=drill,
        )
        return Response(html, media_type="text/html", headers={**_HEADERS, "Content-Language": words.tag})

    def _orders(request: Request) -> Orders | None:
        given = token(request) if permit is not None else None
        return None if given is None else Orders(path, given)

    async def order(request: Request) -> Response:
        form = await read_order(request)
        if isinstance(form, Response):
            return form
        assert permit is not None  # without it there is no such route
        if isinstance(by := await permit(request, form), Response):
            return by
        await carry_out(measurements, form)
        return RedirectResponse(path, 303)

    async def events(request: Request) -> Response:
        if (refusal := await allow(request) if allow is not None else None) is not None:
            return refusal
        return StreamingResponse(streams.events(), media_type="text/event-stream", headers=_HEADERS)

    return [
        Route(path, show, methods=["GET"]),
        Route(f"{path}/events", events, methods=["GET"]),
        *([Route(f"{path}/circuits", order, methods=["POST"])] if permit is not None else ()),
        *alert_order_routes(path, alerts, permit),
        *drill_routes(drill, path=path, allow=allow),
        *report_routes(
            history, alerts, path=path, title=title, zone=zone, allow=allow, language=tongue, names=names, titles=titles
        ),
        *(Route(f"{path}/{name}", _static(name, kind), methods=["GET"]) for name, kind in _STATIC.items()),
    ]


def render(
    measurements: Measurements,
    history: HistoryReader | None,
    report: Report,
    *,
    window: str = "24h",
    closed: bool = False,
    backups: Path | None = None,
    words: Words = LANGUAGES["en"],
    path: str = "",
    title: str = "",
    names: Mapping[str, str] | None = None,
    zone: ZoneInfo | None = None,
    orders: Orders | None = None,
    alerts: Alerts | None = None,
    titles: Mapping[str, str] | None = None,
    drill: Path | None = None,
) -> str:
    """The page as it is now; blocks while it reads."""
    facts = gather(
        measurements,
        history,
        report,
        window if window in WINDOWS else "24h",
        closed=closed,
        backups=backups,
        alerts=alerts,
        drill=drill,
    )
    return page(
        facts,
        words,
        path=path,
        title=title,
        names=names or {},
        zone=zone or ZoneInfo("UTC"),
        orders=orders,
        titles=titles,
        report=f"{path}/report" if alerts is not None and history is not None else None,
    )


class _Streams:
    """The open streams of this process: a bounded number."""

    def __init__(self) -> None:
        self._open = 0

    async def events(self) -> AsyncIterator[bytes]:
        """One event every few seconds, until the worker drains or the time is over; none beyond the bound."""
        yield b"retry: 3000\n\n"
        if self._open >= _MOST_STREAMS:
            return
        self._open += 1
        try:
            waited = 0.0
            while waited < _LONGEST and not lifecycle.draining:
                await asyncio.sleep(0.5)  # a worker that drains waits for its streams: they look often
                waited += 0.5
                if waited % _EVERY == 0:
                    yield b"event: look\ndata: {}\n\n"
        finally:
            self._open -= 1


def _static(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    content = files(__name__).joinpath(name).read_bytes()

    headers = {"Cache-Control": "max-age=300", "X-Content-Type-Options": "nosniff"}

    async def send(_: Request) -> Response:
        return Response(content, media_type=kind, headers=headers)

    return send


def _preferred(request: Request) -> str:
    return "pt-BR" if preferred(request.headers.get("accept-language", ""), "en") == "pt" else "en"
