"""Signing in with a provider: there, and back."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import Response

from esteio import EsteioError
from sispat.http.cookies import origin_of, set_session_cookies
from sispat.http.errors import problem_of
from sispat.http.resume import local_path
from sispat.http.route import Routes
from sispat.http.service import service_of
from sispat.http.session import secure
from sispat.http.slices import site_of
from sispat.kernel.errors import NotFound, SispatError
from sispat.kernel.i18n import _
from sispat.pessoas import oidc
from sispat.pessoas.attempts import AttemptGuard
from sispat.pessoas.factor_routes import ask_for_code
from sispat.pessoas.oidc_provider import Attempted, OidcProvider, OidcRefused, OidcUnavailable
from sispat.ui.pages import redirect
from sispat.ui.sign_in import sign_in_page

__all__ = ["route"]

route = Routes()

_AWAY, _BACK = "/entrar/provedor", "/entrar/provedor/retorno"
_COOKIE, _MINUTES = "sispat_provedor", 10

_logger = logging.getLogger("sispat.oidc")


def _provider(request: Request) -> OidcProvider:
    service = service_of(request)
    if not service.settings.oidc_issuer:
        raise NotFound(_("A página"), request.url.path)
    service.require_open()
    return service.resource(OidcProvider)


def _cookie(request: Request) -> str:
    return f"__Host-{_COOKIE}" if secure(request) else _COOKIE


def _return_address(request: Request) -> str:
    """Where the provider sends the browser back to; the provider takes only what was registered with it."""
    return f"{'https' if secure(request) else 'http'}://{request.headers['host']}{_BACK}"


@route("GET", _AWAY, public=True)
async def begin(request: Request) -> Response:
    """Send the browser to the provider."""
    provider = _provider(request)
    attempted = Attempted.begin(local_path(request.query_params.get("proximo", "/")))
    try:
        response = redirect(await provider.address(attempted, _return_address(request)))
    except (OidcRefused, OidcUnavailable) as error:
        return _failed(request, error)
    # Lax: the way back is a navigation that the provider begins.
    response.set_cookie(
        _cookie(request),
        attempted.text(),
        60 * _MINUTES,
        httponly=True,
        samesite="lax",
        secure=secure(request),
        path="/",
    )
    return response


@route("GET", _BACK, public=True)
async def end(request: Request) -> Response:
    """Open the session of whom the provider vouches for; then the page that was asked for, or the code page."""
    provider = _provider(request)
    try:
        response = await _opened(request, provider)
    except (SispatError, EsteioError) as error:
        response = _failed(request, error)
    response.delete_cookie(_cookie(request), httponly=True, samesite="lax", secure=secure(request), path="/")
    return response


async def _opened(request: Request, provider: OidcProvider) -> Response:
    service, query = service_of(request), request.query_params
    attempted = Attempted.read(request.cookies.get(_cookie(request), ""))
    if attempted is None or not attempted.answers(query.get("state", "")):
        raise OidcRefused("this browser began no such sign-in")
    if not query.get("code"):
        raise OidcRefused(f"the provider says {query.get('error', 'nothing')[:100]!r}")
    claims = await provider.claims(attempted, query["code"], _return_address(request))
    settings = service.settings
    found = oidc.vouched(claims, settings.oidc_match, settings.oidc_claim)
    opened = await oidc.entrar(
        service.db, service.resource(AttemptGuard), found, service.lifetime, origin_of(request),
        frozenset(settings.second_factor.split(",")),
    )  # fmt: skip
    if opened.access.pending == "codigo":
        return ask_for_code(request, opened, attempted.after, {})
    response = redirect(attempted.after)
    set_session_cookies(request, response, opened)
    return response


def _failed(request: Request, error: Exception) -> Response:
    if isinstance(error, OidcRefused | OidcUnavailable):
        _logger.warning("entrada pelo provedor: %s", error.why)
    return sign_in_page(request, problem=problem_of(error, site_of(request).problems, reading=True))
