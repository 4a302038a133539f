"""The session cookie: HttpOnly, SameSite=Lax, Secure wherever the page came by TLS."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sispat.web.porta import COOKIE, servico_de

__all__ = ["apagar_cookie", "gravar_cookie", "seguro"]


def seguro(request: Request) -> bool:
    """Whether cookies of this answer are for TLS only; the setting decides, or else how the request came."""
    escolha = servico_de(request).settings.secure_cookies
    return request.url.scheme == "https" if escolha is None else escolha


def gravar_cookie(request: Request, resposta: Response, token: str) -> None:
    """Set the session; without an expiry of its own: the server decides how long it lives."""
    resposta.set_cookie(COOKIE, token, httponly=True, samesite="lax", secure=seguro(request), path="/")


def apagar_cookie(request: Request, resposta: Response) -> None:
    """Take the session back."""
    resposta.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=seguro(request), path="/")
