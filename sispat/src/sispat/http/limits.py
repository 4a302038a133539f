"""The limits of the service, and whose allowance a request uses.

Promises: a token counts as a person only after the database said whose it is; any other - missing, made up, ended -
counts by address, so that a false one buys nothing. What was said is remembered for a minute, for limits alone:
`open_context` asks each time. An API key has an allowance of its own, beside those of people. While the database is
away, or the service closed, nobody is counted, and nobody served.
"""

from __future__ import annotations

import time
from collections import OrderedDict

import psycopg
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from esteio import EsteioError
from esteio.maintenance import Maintenance
from esteio.postgres import Database
from esteio.web import Rule, by_address
from sispat.http.limit_store import limit
from sispat.http.session import token_of
from sispat.http.slices import Site
from sispat.kernel import sessions
from sispat.kernel.errors import NotAuthenticated
from sispat.kernel.sessions import SessionLifetime
from sispat.kernel.tokens import token_hash
from sispat.settings import Settings

__all__ = ["Identify", "KnownSessions", "limit_rules"]

_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_HEALTH = "/api/health"

_WHO = "quem"  # in scope["state"]: the id of a person, or `_KEY` and that of a key; "" nobody; missing: unknown
_KEY = "chave:"
_REMEMBERED_FOR = 60.0  # seconds
_REMEMBERED = 10_000  # sessions
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
    """Probes must always be answered, and signing in has limits of its own that count failures only."""
    path: str = scope["path"]
    return path in site.uncounted or path == _HEALTH or path.startswith(f"{_HEALTH}/")


class KnownSessions:
    """Sessions that were found valid a moment ago: a bounded number, for a bounded time."""

    def __init__(self) -> None:
        self._people: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def whose(self, hashed: bytes) -> str | None:
        """Whose session this is, or None where it has to be asked."""
        found = self._people.get(hashed)
        if found is None:
            return None
        if found[1] < time.monotonic():
            del self._people[hashed]
            return None
        return found[0]

    def remember(self, hashed: bytes, person: str) -> None:
        """The session is this person's, or the token a key."""
        self._people[hashed] = person, time.monotonic() + _REMEMBERED_FOR
        if len(self._people) > _REMEMBERED:
            self._people.popitem(last=False)


class Identify:
    """ASGI middleware before the limits: writes down whose request this is, where a limit asks."""

    def __init__(
        self, app: ASGIApp, db: Database, lifetime: SessionLifetime, maintenance: Maintenance, site: Site
    ) -> None:
        self.app = app
        self._db = db
        self._lifetime = lifetime
        self._maintenance = maintenance
        self._site = site
        self._known = KnownSessions()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Identify, then pass on."""
        if scope["type"] == "http" and self._matters(scope) and self._maintenance.state() is None:
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
            token, _ = token_of(HTTPConnection(scope))
        except NotAuthenticated:
            return ""
        hashed = token_hash(token)
        known = self._known.whose(hashed)
        return known if known is not None else await self._ask(token, hashed)

    async def _ask(self, token: str, hashed: bytes) -> str | None:
        try:
            async with self._db.connection(timeout=_TIMEOUT) as conn:
                access = await sessions.whose(conn, token, self._lifetime)
        except NotAuthenticated:
            return ""
        except (EsteioError, psycopg.Error):
            return None
        who = f"{_KEY}{access.key_id}" if access.key_id else str(access.usuario_id)
        self._known.remember(hashed, who)
        return who
