"""Cookies of signing in: HttpOnly, SameSite=Lax, Secure wherever the page came by TLS."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sispat.identity.dispositivos import VALIDADE
from sispat.usecases.sessoes import Aberta, Origem
from sispat.web.porta import COOKIE, endereco_de, id_da_requisicao, servico_de

__all__ = ["apagar_cookie", "gravar_cookies", "origem_de", "seguro"]

DISPOSITIVOS = "sispat_dispositivo"  # who has signed in with this browser before; see identity.dispositivos


def seguro(request: Request) -> bool:
    """Whether cookies of this answer are for TLS only; the setting decides, or else how the request came."""
    escolha = servico_de(request).settings.secure_cookies
    return request.url.scheme == "https" if escolha == "auto" else escolha == "sim"


def origem_de(request: Request) -> Origem:
    """Where an attempt to sign in comes from."""
    return Origem(
        endereco=endereco_de(request),
        navegador=request.headers.get("user-agent", ""),
        requisicao=id_da_requisicao(request),
        dispositivos=request.cookies.get(DISPOSITIVOS, ""),
    )


def gravar_cookies(request: Request, resposta: Response, aberta: Aberta) -> None:
    """Set the session, without an expiry of its own: the server decides how long it lives; and remember the browser."""
    resposta.set_cookie(COOKIE, aberta.token, httponly=True, samesite="lax", secure=seguro(request), path="/")
    resposta.set_cookie(
        DISPOSITIVOS, aberta.dispositivos, VALIDADE, httponly=True, samesite="lax", secure=seguro(request), path="/"
    )


def apagar_cookie(request: Request, resposta: Response) -> None:
    """Take the session back."""
    resposta.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=seguro(request), path="/")
