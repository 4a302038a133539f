"""Cookies of signing in: HttpOnly, SameSite=Lax, Secure wherever the page came by TLS."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sispat.http.session import client_address, cookie_name, request_id_of, secure
from sispat.kernel.devices import MAX_AGE
from sispat.kernel.sessions import OpenedSession, Origin

__all__ = ["clear_session_cookie", "origin_of", "secure", "set_session_cookies"]

DEVICES = "sispat_dispositivo"  # who has signed in with this browser before; see kernel.devices


def origin_of(request: Request) -> Origin:
    """Where an attempt to sign in comes from."""
    return Origin(
        address=client_address(request),
        user_agent=request.headers.get("user-agent", ""),
        request_id=request_id_of(request),
        devices=request.cookies.get(DEVICES, ""),
    )


def set_session_cookies(request: Request, response: Response, opened: OpenedSession) -> None:
    """Set the session, without an expiry of its own: the server decides how long it lives; and remember the browser."""
    response.set_cookie(
        cookie_name(request), opened.token, httponly=True, samesite="lax", secure=secure(request), path="/"
    )
    if not opened.devices:
        return  # nothing new to remember
    response.set_cookie(
        DEVICES, opened.devices, MAX_AGE, httponly=True, samesite="lax", secure=secure(request), path="/"
    )


def clear_session_cookie(request: Request, response: Response) -> None:
    """Take the session back."""
    response.delete_cookie(cookie_name(request), httponly=True, samesite="lax", secure=secure(request), path="/")
