"""A public page that says whether the service works: for whoever uses it, without anything of its inside.

Promises: it names no host, version, check or reason. States are up, down, maintenance and unknown; degraded is up, for it
works. It needs neither the database nor a session nor scripts, and costs one look at the checks and the history every
`_KEPT` seconds, however many ask. The badge and the summary say the same, and any site may fetch them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esteio.health import HistoryReader, Monitor, Report
from esteio.limit.headers import language as preferred
from esteio.maintenance import Maintenance
from esteio.web.status_page._badge import badge
from esteio.web.status_page._page import TEXTS, page
from esteio.web.status_page._standing import WINDOWS, Standing, standing_of

__all__ = ["status_routes"]

_KEPT = 5.0  # seconds
_MAX_AGE = 10  # seconds, for caches between us and who asks
_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def status_routes(
    monitor: Monitor,
    history: HistoryReader | None = None,
    *,
    path: str = "/status",
    summary: str = "/health/summary.json",
    title: str = "",
    maintenance: Maintenance | None = None,
    language: Callable[[Request], str] | None = None,
    timezone: str = "UTC",
) -> list[Route]:
    """Routes of the page at `path`, of `{path}/badge.svg`, and of the document at `summary`.

    `history`: what a `HostMonitor` writes. `language(request)`: "pt-BR" or "en"; without it Accept-Language decides.
    """
    zone, tongue, current = ZoneInfo(timezone), language or _preferred, _Current(monitor, history, maintenance)
    style = files(__name__).joinpath("page.css").read_bytes()

    async def show(request: Request) -> Response:
        standing, tag = await current(), tongue(request)
        html = page(standing, tag, path=path, title=title, zone=zone)
        return _answer(request, html, "text/html; charset=utf-8", tag)

    async def picture(request: Request) -> Response:
        standing, tag = await current(), tongue(request)
        svg = badge(title or "status", TEXTS[tag].badge(standing), standing.state)
        return _answer(request, svg, "image/svg+xml", tag, everybody=True)

    async def document(request: Request) -> Response:
        return _answer(request, json.dumps(_summary(await current())), "application/json", everybody=True)

    async def sheet(_: Request) -> Response:
        return Response(style, media_type="text/css", headers={"Cache-Control": "max-age=300"})

    return [
        Route(path, show, methods=["GET"]),
        Route(f"{path}/badge.svg", picture, methods=["GET"]),
        Route(f"{path}/page.css", sheet, methods=["GET"]),
        Route(summary, document, methods=["GET"]),
    ]


class _Current:
    """How it stands, looked at anew every few seconds, by one request for all that come meanwhile."""

    def __init__(self, monitor: Monitor, history: HistoryReader | None, maintenance: Maintenance | None) -> None:
        self._monitor = monitor
        self._history = history
        self._maintenance = maintenance
        self._found: Standing | None = None
        self._looked = 0.0
        self._looking: asyncio.Task[Standing] | None = None

    async def __call__(self) -> Standing:
        if self._found is not None and time.monotonic() - self._looked < _KEPT:
            return self._found
        looking = self._looking
        if looking is None or looking.done() or looking.get_loop() is not asyncio.get_running_loop():
            looking = self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(looking)  # whoever leaves takes the answer from nobody

    async def _look(self) -> Standing:
        report = await self._monitor.report()
        self._found = await asyncio.to_thread(self._read, report)
        self._looked = time.monotonic()
        return self._found

    def _read(self, report: Report) -> Standing:
        notice = self._maintenance.look() if self._maintenance is not None else None
        return standing_of(report.status, notice, self._history, time.time())


def _summary(standing: Standing) -> dict[str, Any]:
    until = standing.until
    return {
        "status": standing.state.value,
        "since": _moment(standing.since),
        "until": None if until is None else until.astimezone(UTC).isoformat(timespec="seconds"),
        "updated": _moment(standing.at),
        "availability": {
            window: None if share is None else round(100 * share, 4) for window, share in standing.shares.items()
        },
        "observed": {
            window: round(100 * seconds / WINDOWS[window], 2) for window, seconds in standing.observed.items()
        },
    }


def _answer(request: Request, content: str, media_type: str, tag: str = "", *, everybody: bool = False) -> Response:
    mark = f'"{blake2b(content.encode(), digest_size=12).hexdigest()}"'
    headers = {
        "Cache-Control": f"public, max-age={_MAX_AGE}", "ETag": mark, "Content-Security-Policy": _CSP,
        "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    if tag:
        headers |= {"Content-Language": tag, "Vary": "Accept-Language, Cookie"}
    if everybody:
        headers |= {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
    if mark in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _preferred(request: Request) -> str:
    return "pt-BR" if preferred(request.headers.get("accept-language", ""), "en") == "pt" else "en"
