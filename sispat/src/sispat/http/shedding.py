"""How much each request matters while more is asked than can be served: `esteio.web.shedding` with the levels of SISPAT.

Promises: health and static files are always answered. Then come administrators, what people who are signed in save, what
they read, who is about to sign in, exports, and last whoever is nobody. Who a session belongs to is what this process
found a moment ago (`http.known_sessions`): no request waits for the database to be told how much it matters, and a made-up
token buys no more than the form for signing in. Reads of the two least levels are refused by the server itself, by their head
(`by_head`); what somebody may have typed never is.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import cookie_parser
from starlette.types import Scope

from esteio.postgres import Database
from esteio.web.shedding import Admission, Level
from sispat.http.cookies import DEVICES
from sispat.http.errors import Problem
from sispat.http.service import Service
from sispat.http.session import COOKIE, credentials_of
from sispat.http.slices import Site
from sispat.kernel.devices import looks_right
from sispat.kernel.errors import NotAuthenticated
from sispat.kernel.i18n import _
from sispat.kernel.permissions import Papel

__all__ = ["OVERLOADED", "STRANGER", "PoolDelay", "admission", "by_head", "overload_problem", "priorities"]

OVERLOADED = "sobrecarga"
STRANGER = "anonymous"
"""The level of whoever is not signed in."""
_ANONYMOUS, _EXPORT, _ENTERING, _READ, _WRITE, _ADMINISTRATOR = range(6)
_LEVELS = (
    Level(STRANGER, share=0.15, patience=1.0),
    Level("export", share=0.15, patience=5.0, spacing=0.2),
    Level("entering", share=0.6, patience=3.0),
    Level("read", share=0.9, patience=4.0),  # somebody looks at the screen: a slow answer is better than none
    Level("write", share=0.95, patience=5.0),
    Level("administrator", patience=5.0),
)
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_PROBES = frozenset({"/api/health", "/api/health/live", "/api/health/ready", "/api/health/startup"})
_STATIC = "/static/"
_SIGN_IN = frozenset({"/entrar", "/api/auth/login"})
_STREAM = "/operacao/events"  # lasts for as long as somebody looks at the page


def admission() -> Admission:
    """Of one process."""
    return Admission(_LEVELS)


def priorities(service: Service, site: Site, trusted: Callable[[Scope], bool]) -> Callable[[Scope], int | None]:
    """The place of a request's level; None: it is always answered. `trusted`: whether it brings the operations token."""

    def place(scope: Scope) -> int | None:
        path: str = scope["path"]
        if path in _PROBES or path.startswith(_STATIC):
            return None
        try:
            credentials = credentials_of(scope)
        except NotAuthenticated:
            return _of_nobody(scope, path, trusted)
        known = service.sessions.get(credentials.hashed)
        if known is None:
            return _ADMINISTRATOR if trusted(scope) else _ENTERING
        if site.takes_files(scope):
            return None  # takes as long as its client's line is slow, and holds nothing meanwhile; limit_upload bounds them
        if site.streams and path.endswith(site.streams):
            return None  # nothing is done for it meanwhile; who serves it bounds how many there are
        if known.access.papel is Papel.ADMINISTRADOR:
            return None if path == _STREAM else _ADMINISTRATOR
        if scope["method"] in _WRITES:
            return _WRITE
        return _EXPORT if path in site.reports else _READ

    return place


def by_head(place: Callable[[Scope], int | None]) -> Callable[[Scope], int | None]:
    """`place` for those whom the server itself may refuse: reads of strangers, and exports."""

    def early(scope: Scope) -> int | None:
        if scope["method"] not in ("GET", "HEAD"):
            return None
        found = place(scope)
        if found == _EXPORT or (found == _ANONYMOUS and not _may_be_signed_in(scope)):
            return found
        return None

    return early


def _may_be_signed_in(scope: Scope) -> bool:
    """Behind TLS the cookie has another name, and the server has not yet looked at what its proxy says of that."""
    return any(name == b"cookie" and COOKIE.encode() in value for name, value in scope["headers"])


def _of_nobody(scope: Scope, path: str, trusted: Callable[[Scope], bool]) -> int:
    if trusted(scope):
        return _ADMINISTRATOR
    # Sending a password has limits of its own (pessoas.attempts); asking for the form has none.
    entering = path in _SIGN_IN and (scope["method"] == "POST" or _signed_in_before(scope))
    return _ENTERING if entering else _ANONYMOUS


def _signed_in_before(scope: Scope) -> bool:
    """Whether the browser says that somebody has signed in with it; whether that is true, only the password's hash tells."""
    cookies = "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")
    return looks_right(cookie_parser(cookies).get(DEVICES, ""))


class PoolDelay:
    """Seconds that callers waited for a connection, on average, since it was last asked.

    0 while the server is away: a wait for a server that does not answer is an outage, and refusing others does not end it.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waited, self._queued = 0.0, 0

    def __call__(self) -> float:
        stats = self._db.stats()
        waited, queued = stats.wait_seconds - self._waited, stats.queued - self._queued
        self._waited, self._queued = stats.wait_seconds, stats.queued
        return 0.0 if stats.down_for is not None else waited / max(1, queued)


def overload_problem(retry_after: int) -> Problem:
    """What a request that was refused is told."""
    return Problem(
        503, OVERLOADED, _("Muitos pedidos agora"),
        _("Há pedidos demais ao mesmo tempo, e este não chegou a ser atendido. Nada do que você digitou se perdeu."),
        headers={"Retry-After": str(retry_after)},
    )  # fmt: skip
