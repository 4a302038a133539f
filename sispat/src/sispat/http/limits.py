"""The limits of the service, and whose allowance a request uses.

Promises: a token counts as a person only after the database said whose it is; any other - missing, made up, ended - counts
by address, so that a false one buys nothing. What was said is remembered for a minute (`http.known_sessions`). An API key
has an allowance of its own, beside those of people. While the database is away, or the service closed, nobody is counted,
and nobody served.
"""

from __future__ import annotations

import psycopg
from starlette.types import ASGIApp, Receive, Scope, Send

from esteio import EsteioError
from esteio.web import Rule, by_address
from sispat.http.limit_store import limit
from sispat.http.service import Service
from sispat.http.session import Credentials, credentials_of
from sispat.http.slices import Site
from sispat.kernel import sessions
from sispat.kernel.errors import NotAuthenticated
from sispat.kernel.permissions import Access
from sispat.settings import Settings

__all__ = ["PUBLIC_PATHS", "Identify", "limit_rules"]

_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_HEALTH = "/api/health"
_PUBLIC_API = "/api/publico/"
PUBLIC_PATHS = ["/b/*", "/B/*", "/t/*", "/conferir", "/dados-abertos", f"{_PUBLIC_API}*"]
"""What anybody may ask without signing in, and what is therefore counted apart, by address, signed in or not."""

_WHO = "quem"  # in scope["state"]: the id of a person, or `_KEY` and that of a key; "" nobody; missing: unknown
_KEY = "chave:"
_TIMEOUT = 1.0  # seconds to wait for a connection; whoever waits longer is not counted

_address = by_address()  # the server has already resolved SISPAT_FORWARDED_ALLOW_IPS


def limit_rules(settings: Settings, site: Site) -> list[Rule]:
    """The limits that settings ask for, but those of signing in: they are in pessoas.attempts."""

    def exempt(scope: Scope) -> bool:
        return _uncounted(site, scope)

    possible = [
        (settings.limit_global, "global", {"key": _anonymous, "paths": ["/api/*"], "exempt": exempt}),
        (settings.limit_user, "user", {"key": _person, "paths": ["/api/*"], "exempt": exempt}),
        (settings.limit_key, "key", {"key": _api_key, "paths": ["/api/*"], "exempt": exempt}),
        (settings.limit_write, "write", {"key": _known, "methods": _WRITES, "exempt": exempt}),
        (settings.limit_upload, "upload", {"key": _known, "methods": ["POST"], "when": site.counts_as_upload}),
        (settings.limit_public, "public", {"key": _address, "paths": PUBLIC_PATHS}),
        (settings.limit_report, "report", {"key": _known, "methods": ["GET"], "paths": sorted(site.reports)}),
    ]
    return [Rule(limit=limit(name, quota), **options) for quota, name, options in possible if quota is not None]  # type: ignore[arg-type]


def _known(scope: Scope) -> str | None:
    return scope["state"].get(_WHO) or None


def _person(scope: Scope) -> str | None:
    who = _known(scope)
    return who if who and not who.startswith(_KEY) else None


def _api_key(scope: Scope) -> str | None:
    who = _known(scope)
    return who if who and who.startswith(_KEY) else None


def _anonymous(scope: Scope) -> str | None:
    return _address(scope) if scope["state"].get(_WHO) == "" else None


def _uncounted(site: Site, scope: Scope) -> bool:
    """Probes must always be answered; signing in and the public pages have limits of their own."""
    path: str = scope["path"]
    return path in site.uncounted or path == _HEALTH or path.startswith((f"{_HEALTH}/", _PUBLIC_API))


class Identify:
    """ASGI middleware before the limits: writes down whose request this is, where a limit asks."""

    def __init__(self, app: ASGIApp, service: Service, site: Site) -> None:
        self.app = app
        self._service = service
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Identify, then pass on."""
        if scope["type"] == "http" and self._matters(scope) and self._service.maintenance.state() is None:
            who = await self._who(scope)
            if who is not None:
                scope["state"][_WHO] = who
        await self.app(scope, receive, send)

    def _matters(self, scope: Scope) -> bool:
        path: str = scope["path"]
        counted = path.startswith("/api/") or scope["method"] in _WRITES or path in self._site.reports
        return counted and not _uncounted(self._site, scope)

    async def _who(self, scope: Scope) -> str | None:
        try:
            credentials = credentials_of(scope)
        except NotAuthenticated:
            return ""
        known = self._service.sessions.get(credentials.hashed)
        return _name(known.access) if known is not None else await self._ask(credentials)

    async def _ask(self, credentials: Credentials) -> str | None:
        service = self._service
        try:
            async with service.db.connection(timeout=_TIMEOUT, even_stale=True) as conn:
                session = await sessions.whose(conn, credentials.token, service.lifetime)
        except NotAuthenticated:
            return ""
        except (EsteioError, psycopg.Error):
            return None
        service.sessions.remember(credentials.hashed, session)
        return _name(session.access)


def _name(access: Access) -> str:
    return f"{_KEY}{access.key_id}" if access.key_id else str(access.usuario_id)
