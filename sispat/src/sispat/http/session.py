"""Whose request it is, and the connection it works on.

Promises: the session comes from the cookie or from `Authorization: Bearer`, which may also bring an API key; one
connection serves the whole request and is given back however it ends; a request that reads asks for its session and for
what it reads at once (`http.guarded`); what is slow on it is logged with the name of the route. While the service is
closed nobody gets a session (`UnderMaintenance`). A request that may write is one transaction: an error undoes it all, and
when the answer to its COMMIT is lost, what became of it is looked up (`CommitUnknown` where nobody knows). A write that was
authorised by the cookie alone needs the CSRF token (form field or `X-CSRF-Token`), because a browser sends cookies to
whoever asks. While the disk of our own database has no room, nothing but signing in and out is written (`DiskNearlyFull`).
Somebody who has to do something first, such as changing a provisional password, gets at nothing but routes
that say `while_pending`; all others raise `StepPending`. The use of an API key that opens nothing any more is audited.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

from starlette.requests import HTTPConnection, Request, cookie_parser
from starlette.types import Scope

from esteio.postgres import tagged
from sispat.http.guarded import Guard
from sispat.http.service import Service, service_of
from sispat.kernel import api_keys, sessions, tokens
from sispat.kernel.context import Context
from sispat.kernel.errors import ForgedRequest, KeyRefused, NotAuthenticated, StepPending
from sispat.kernel.numbering import NumberTurn
from sispat.kernel.permissions import Access

__all__ = [
    "COOKIE",
    "Credentials",
    "RequestContext",
    "admitted",
    "client_address",
    "cookie_name",
    "credentials_of",
    "open_context",
    "request_id_of",
    "require_session",
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

    @property
    def today(self) -> dt.date:
        """The date on the city's clocks."""
        return dt.datetime.now(ZoneInfo(self.service.settings.timezone)).date()


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
    return _is_secure(request.scope)


def _is_secure(scope: Scope) -> bool:
    choice = scope["app"].state.service.settings.secure_cookies
    return bool(scope["scheme"] == "https" if choice == "auto" else choice == "sim")


def cookie_name(request: HTTPConnection) -> str:
    """Of the session's cookie; its prefix behind TLS keeps other hosts and plain HTTP from setting it (RFC 6265bis)."""
    return _cookie_name(request.scope)


def _cookie_name(scope: Scope) -> str:
    return f"__Host-{COOKIE}" if _is_secure(scope) else COOKIE


class Credentials(NamedTuple):
    """A session's token as it came, and what the database knows it by."""

    token: str
    by_cookie: bool
    hashed: bytes


_CREDENTIALS = "sispat.credentials"  # in the scope: asked for by the limits, the route and the session, found once


def credentials_of(scope: Scope) -> Credentials:
    """What this request shows of a session; raises `NotAuthenticated` where it shows nothing."""
    found: Credentials | None = scope.get(_CREDENTIALS)
    if found is None:
        found = scope[_CREDENTIALS] = _found_in(scope)
    return found


def _found_in(scope: Scope) -> Credentials:
    cookies = []
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer " and (token := value[7:].strip()):
            text = token.decode("latin-1")
            return Credentials(text, False, tokens.token_hash(text))
        if name == b"cookie":
            cookies.append(value.decode("latin-1"))
    cookie = cookie_parser("; ".join(cookies)).get(_cookie_name(scope)) if cookies else None
    if cookie and not api_keys.is_key(cookie):  # a key belongs to a program, never to a browser
        return Credentials(cookie, True, tokens.token_hash(cookie))
    raise NotAuthenticated


def token_of(request: HTTPConnection) -> tuple[str, bool]:
    """The session token and whether a cookie brought it; raises `NotAuthenticated` where there is none."""
    return credentials_of(request.scope)[:2]


def admitted(request: Request, access: Access, csrf: str | None = None) -> None:
    """Let the request of a valid session in, or raise why not; whoever opens a session for a request asks here.

    After the session was looked up: one that has expired must lead to signing in, not to a complaint about CSRF.
    """
    token, by_cookie, _ = credentials_of(request.scope)
    if by_cookie and request.method not in _SAFE:
        sent = csrf if csrf is not None else request.headers.get("x-csrf-token", "")
        if not tokens.csrf_matches(token, sent):
            raise ForgedRequest
    request.scope["state"]["access"] = access
    _require_no_step(request, access)


def _require_no_step(request: Request, access: Access) -> None:
    if access.pending and access.pending not in getattr(request.scope.get("route"), "while_pending", ()):
        raise StepPending(access.pending)


def open_context(
    request: Request, csrf: str | None = None, *, repeatable: bool = False
) -> AbstractAsyncContextManager[RequestContext]:
    """A connection (for what may write, a transaction) and whose request it is.

    `csrf` is the token that a form carried; None: the header counts. `repeatable`: whoever asks is ready for
    `SessionChanged`, so that a read need not ask for its session first. Raises `NotAuthenticated`, `ForgedRequest`,
    `UnderMaintenance`, and what esteio.postgres raises.
    """
    return _reading(request, repeatable) if request.method in _SAFE else _writing(request, csrf)


@asynccontextmanager
async def _reading(request: Request, repeatable: bool) -> AsyncIterator[RequestContext]:
    service = service_of(request)
    service.require_open()  # before the session: who has none should not be led to signing in now
    (token, _, hashed), turn = credentials_of(request.scope), NumberTurn(service.number_queue)
    with tagged(route_name(request)):
        try:
            # While no primary can be had, a replica answers, a moment behind: people read on while another is chosen.
            async with service.db.connection(even_stale=True) as conn:
                known = service.sessions.get(hashed) if repeatable else None
                if known is None or not known.mark:
                    session = await sessions.whose(conn, token, service.lifetime)
                    service.sessions.remember(hashed, session)
                    admitted(request, session.access)
                    yield RequestContext(conn, session.access, request_id_of(request), turn, request)
                    return
                async with Guard(conn, token, known, service.lifetime, service.sessions):
                    admitted(request, known.access)
                    yield RequestContext(conn, known.access, request_id_of(request), turn, request)
        except KeyRefused:
            await _record_refusal(request, token)
            raise


@asynccontextmanager
async def _writing(request: Request, csrf: str | None) -> AsyncIterator[RequestContext]:
    service = service_of(request)
    service.require_open()
    if not getattr(request.scope.get("route"), "while_pending", ()):  # signing in and out is small, and stays possible
        service.require_room()
    token, turn = credentials_of(request.scope).token, NumberTurn(service.number_queue)
    with tagged(route_name(request)):
        try:
            async with service.db.transaction() as conn:
                session = await sessions.whose(conn, token, service.lifetime)
                admitted(request, session.access, csrf)
                yield RequestContext(conn, session.access, request_id_of(request), turn, request)
        except KeyRefused:
            await _record_refusal(request, token)
            raise
        finally:
            turn.give_back()  # after the COMMIT: until then the counter row is locked anyway


async def require_session(request: Request) -> None:
    """Raise what opening a context would, CSRF apart: asked before what takes long to be received.

    It is asked again in the transaction that the request becomes: the session may end meanwhile.
    """
    service = service_of(request)
    service.require_open()
    token = credentials_of(request.scope).token
    try:
        async with service.db.connection() as conn:
            session = await sessions.whose(conn, token, service.lifetime)
    except KeyRefused:
        await _record_refusal(request, token)
        raise
    _require_no_step(request, session.access)


async def _record_refusal(request: Request, token: str) -> None:
    async with service_of(request).db.transaction() as conn:  # what the request began is rolled back
        await api_keys.record_refusal(conn, token, request_id_of(request), client_address(request))
