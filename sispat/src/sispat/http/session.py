"""Whose request it is, and the connection it works on.

Promises: the session comes from the cookie or from `Authorization: Bearer`, which may also bring an API key; one
connection serves the whole request and is given back however it ends; what is slow on it is logged with the name of the
route. While the service is closed nobody gets a session (`UnderMaintenance`). A request that may write is one
transaction: an error undoes it all, and when the answer to its COMMIT is lost, what became of it is looked up
(`CommitUnknown` where nobody knows). A write that was authorised by the cookie alone needs the CSRF token (form field or
`X-CSRF-Token`), because a browser sends cookies to whoever asks. Somebody who has to do something first, such as
changing a provisional password, gets at nothing but routes that say `while_pending`; all others raise `StepPending`. The
use of an API key that opens nothing any more is audited.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import HTTPConnection, Request

from esteio.postgres import tagged
from sispat.http.service import Service, service_of
from sispat.kernel import api_keys, sessions, tokens
from sispat.kernel.context import Context
from sispat.kernel.errors import ForgedRequest, KeyRefused, NotAuthenticated, StepPending
from sispat.kernel.numbering import NumberTurn
from sispat.kernel.permissions import Access

__all__ = [
    "COOKIE",
    "RequestContext",
    "admitted",
    "client_address",
    "cookie_name",
    "open_context",
    "request_id_of",
    "route_name",
    "secure",
    "token_of",
]

COOKIE = "sispat_sessao"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class RequestContext(Context):
    """What a use case is given, and the request that asked for it."""

    request: Request = None  # type: ignore[assignment]  # always given; it follows fields that have defaults

    @property
    def service(self) -> Service:
        """The process' own things."""
        return service_of(self.request)


def request_id_of(request: Request) -> str:
    """What logs and audit call this request."""
    return str(request.scope["state"]["request_id"])


def client_address(request: Request) -> str:
    """The client's address, as far as the server trusts its proxies."""
    return request.client.host if request.client else ""


def route_name(request: Request) -> str:
    """Method and path pattern, such as `GET /api/patrimonios/{id}`: what a request asked for, but not of whom."""
    return f"{request.method} {getattr(request.scope.get('route'), 'path', '?')}"


def secure(request: HTTPConnection) -> bool:
    """Whether cookies are for TLS only; the setting decides, or else how the request came."""
    choice = service_of(request).settings.secure_cookies
    return request.url.scheme == "https" if choice == "auto" else choice == "sim"


def cookie_name(request: HTTPConnection) -> str:
    """Of the session's cookie; its prefix behind TLS keeps other hosts and plain HTTP from setting it (RFC 6265bis)."""
    return f"__Host-{COOKIE}" if secure(request) else COOKIE


def token_of(request: HTTPConnection) -> tuple[str, bool]:
    """The session token and whether a cookie brought it; raises `NotAuthenticated` where there is none."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip(), False
    cookie = request.cookies.get(cookie_name(request))
    if cookie and not api_keys.is_key(cookie):  # a key belongs to a program, never to a browser
        return cookie, True
    raise NotAuthenticated


def admitted(request: Request, access: Access, csrf: str | None = None) -> None:
    """Let the request of a valid session in, or raise why not; whoever opens a session for a request asks here.

    After the session was looked up: one that has expired must lead to signing in, not to a complaint about CSRF.
    """
    token, by_cookie = token_of(request)
    if by_cookie and request.method not in _SAFE:
        sent = csrf if csrf is not None else request.headers.get("x-csrf-token", "")
        if not tokens.csrf_matches(token, sent):
            raise ForgedRequest
    request.state.access = access
    if access.pending and access.pending not in getattr(request.scope.get("route"), "while_pending", ()):
        raise StepPending(access.pending)


@asynccontextmanager
async def open_context(request: Request, csrf: str | None = None) -> AsyncIterator[RequestContext]:
    """A connection (for what may write, a transaction) and whose request it is.

    `csrf` is the token that a form carried; None: the header counts. Raises `NotAuthenticated`, `ForgedRequest`,
    `UnderMaintenance`, and what esteio.postgres raises.
    """
    service = service_of(request)
    writes = request.method not in _SAFE
    turn = NumberTurn(service.number_queue)
    with tagged(route_name(request)):
        service.require_open()  # before the session: who has none should not be led to signing in now
        token, _ = token_of(request)
        try:
            async with service.db.transaction() if writes else service.db.connection() as conn:
                access = await sessions.whose(conn, token, service.lifetime)
                admitted(request, access, csrf)
                yield RequestContext(conn, access, request_id_of(request), turn, request)
        except KeyRefused:
            async with service.db.transaction() as conn:  # what the request began is rolled back
                await api_keys.record_refusal(conn, token, request_id_of(request), client_address(request))
            raise
        finally:
            turn.give_back()  # after the COMMIT: until then the counter row is locked anyway
