"""What every request meets first, and what every answer carries.

Promises: each request is answered in its language (`http.language`). It names one host, or gets 400. HEAD is answered
as GET is, without the body. An address that differs from one of ours by a slash at its end leads there, without naming a
host. Every answer has the headers of `http.headers`, HSTS where it goes through TLS. What nobody expected becomes an
answer 500 like any other - with its request id, on a connection that goes on - and its traceback goes to the log; once the
answer has begun, the connection is cut, so that half an answer is not taken for a whole one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sispat.http.errors import Problem, problem_of
from sispat.http.headers import EVERY_ANSWER, HSTS
from sispat.http.language import set_language
from sispat.kernel.files import Format
from sispat.kernel.i18n import SOURCE, Language, _

__all__ = ["COMPRESSED", "Edge", "Gzip", "allowed_methods", "completed"]

_logger = logging.getLogger("sispat.http")
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in EVERY_ANSWER.items()]
_NAMES = frozenset(name for name, _ in _HEADERS)
_HSTS = (b"strict-transport-security", HSTS.encode())
# A name or IPv4 address, or an IPv6 address in brackets; then perhaps a port (RFC 9110, 7.2).
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")

Show = Callable[[Request, Problem], Awaitable[Response]]


class Edge:
    """ASGI middleware. `show` makes the answer of a problem; `secure`: "auto" (by the request), "sim" or "nao".

    `language` is the one of requests that ask for none.
    """

    def __init__(self, app: ASGIApp, show: Show, secure: str = "auto", language: Language = SOURCE) -> None:
        self.app = app
        self._show = show
        self._secure = secure
        self._language = language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the request, pass it on, complete the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        set_language(scope, self._language)
        answer = _Answer(send, head=scope["method"] == "HEAD", hsts=self._is_secure(scope))
        asked = scope
        if answer.head:
            scope = {**scope, "method": "GET"}
        try:
            app = self._refusal(scope) or _without_slash(scope) or self.app
            await app(scope, receive, answer)
        except Exception as error:
            if answer.begun:
                raise
            request = Request(scope, receive)
            # The id that the page shows: who is told of it can find this line, and Sentry's issue.
            named = {"request_id": scope.get("state", {}).get("request_id", "")}
            _logger.exception("%s %s: unexpected error", scope["method"], _route(scope), extra=named)
            response = await self._show(request, problem_of(error))
            await response(scope, receive, answer)
        finally:
            asked["route"] = scope.get("route")  # who measures asks for it

    def _is_secure(self, scope: Scope) -> bool:
        return scope["scheme"] == "https" if self._secure == "auto" else self._secure == "sim"

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1 and _HOST.fullmatch(hosts[0]):
            return None
        problem = Problem(
            400, "host-invalido", _("Pedido malformado"),
            _("O pedido deve trazer um cabeçalho Host, e só um, com o nome ou o endereço deste serviço."),
        )  # fmt: skip

        async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
            response = await self._show(Request(scope, receive), problem)
            await response(scope, receive, send)

        return refuse


class _Answer:
    """`send` that completes the headers, and leaves out the body of an answer to HEAD."""

    def __init__(self, send: Send, *, head: bool, hsts: bool) -> None:
        self._send = send
        self.head = head
        self._hsts = hsts
        self.begun = False
        self._ended = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message["headers"] = completed(message.get("headers", ()), hsts=self._hsts)
        elif self.head and message["type"] == "http.response.body":
            if self._ended:
                return
            self._ended = True
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)


def completed(headers: Iterable[tuple[bytes, bytes]], *, hsts: bool) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, with what every answer has."""
    said = list(headers)
    names = {name for name, _ in said}
    said += _HEADERS if names.isdisjoint(_NAMES) else [header for header in _HEADERS if header[0] not in names]
    if hsts:
        said.append(_HSTS)
    return said


COMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, *(each.media_type for each in Format))
"""Types of what is compressed by itself, or is sent as it lies on the disk, with its length."""


class Gzip(GZipMiddleware):
    """Starlette's, which has no part in answers to clients that do not take gzip: `Vary` says so of each answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compress for who accepts it."""
        if scope["type"] == "http" and any(
            name == b"accept-encoding" and b"gzip" in value for name, value in scope["headers"]
        ):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _without_slash(scope: Scope) -> ASGIApp | None:
    path: str = scope["path"]
    if scope["method"] != "GET" or len(path) == 1 or not path.endswith("/"):
        return None
    # One slash at the beginning: a browser takes two for the name of another host.
    target = "/" + path.strip("/")
    query = scope["query_string"].decode("latin-1")
    return RedirectResponse(f"{target}?{query}" if query else target, 308)


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "?"))


def allowed_methods(request: Request) -> str:
    """The methods of all routes at this address, for `Allow` (RFC 9110, 10.2.1)."""
    methods: set[str] = set()
    for route in request.app.router.routes:
        found = getattr(route, "path_regex", None)
        if found is not None and found.match(request.scope["path"]):
            methods |= set(getattr(route, "methods", None) or ())
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))
