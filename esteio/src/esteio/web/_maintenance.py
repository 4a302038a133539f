"""A closed service answers for itself: 503 with a page for people and problem+json for programs.

Promises: nothing of a request is read and nothing of the application runs while the switch is on, but for the paths that
are exempt. No answer is kept by a cache, and each says when it is worth asking again; only a page that was asked for by
GET asks again by itself, because asking again for anything else would do it twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from html import escape

from starlette.types import ASGIApp, Receive, Scope, Send

from esteio.maintenance import Maintenance, Notice

__all__ = ["MaintenancePage"]

_TRY_AGAIN_LATER = 1013  # WebSocket close code; before the handshake servers answer 403 in its place

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
{refresh}<title>Under maintenance</title></head>
<body><h1>Under maintenance</h1><p>{text}</p></body></html>
"""


class MaintenancePage:
    """ASGI middleware that asks `switch`. Paths in `exempt`, and below those that end in `/`, always pass.

    `respond` makes the answer instead: given the scope and the notice, an ASGI application.
    """

    def __init__(
        self,
        app: ASGIApp,
        switch: Maintenance,
        *,
        exempt: Collection[str] = ("/health", "/health/"),
        respond: Callable[[Scope, Notice], ASGIApp] | None = None,
    ) -> None:
        self.app = app
        self._switch = switch
        self._exact = frozenset(exempt)
        self._below = tuple(path for path in exempt if path.endswith("/"))
        self._respond = respond or _plain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer while the switch is on; pass on otherwise."""
        notice = self._switch.state() if scope["type"] in ("http", "websocket") else None
        if notice is None or scope["path"] in self._exact or scope["path"].startswith(self._below):
            await self.app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await receive()  # the handshake, which has to be taken before it can be refused
            await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER, "reason": "under maintenance"})
            return
        await self._respond(scope, notice)(scope, receive, send)


def _plain(scope: Scope, notice: Notice) -> ASGIApp:
    seconds = notice.retry_after(time.time())
    wants = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    if b"json" in wants and b"text/html" not in wants:
        kind, body = b"application/problem+json", _problem(notice)
    else:
        kind, body = b"text/html; charset=utf-8", _page(scope["method"], notice, seconds)
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"retry-after", str(seconds).encode()),
    ]

    async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return answer


def _text(notice: Notice) -> str:
    why = f" {notice.reason}." if notice.reason else ""
    until = f" It is expected back at {notice.until.isoformat(' ', 'minutes')}." if notice.until else ""
    return f"Closed since {notice.since.isoformat(' ', 'minutes')}.{why}{until}"


def _page(method: str, notice: Notice, seconds: int) -> bytes:
    refresh = f'<meta http-equiv="refresh" content="{seconds}">' if method in ("GET", "HEAD") else ""
    return _PAGE.format(refresh=refresh, text=escape(_text(notice))).encode()


def _problem(notice: Notice) -> bytes:
    fields = {
        "type": "urn:esteio:problem:maintenance",
        "title": "Under maintenance",
        "status": 503,
        "detail": _text(notice),
        "since": notice.since.isoformat(),
        "until": notice.until and notice.until.isoformat(),
    }
    return json.dumps(fields, ensure_ascii=False).encode()
