"""Who gets at the numbers of the service: an administrator's session or key, or the token of the settings.

Promises: the token opens nothing else, and works while the database, which knows the sessions, is away. It is compared in
constant time. A program sends it as `Authorization: Bearer`; a browser asks for it as a password, by any name.
"""

from __future__ import annotations

import base64
from hmac import compare_digest

from starlette.requests import HTTPConnection, Request

from sispat.http.service import service_of
from sispat.http.session import open_context
from sispat.operacao.rules import VER

__all__ = ["admit", "brings_token"]


async def admit(request: Request) -> None:
    """Return, or raise why not: what `open_context` raises, or `NotPermitted`."""
    if brings_token(request):
        return
    async with open_context(request) as ctx:
        ctx.access.require(VER)


def brings_token(request: HTTPConnection) -> bool:
    """Whether the request carries the token of the settings."""
    token = service_of(request).settings.operations_token
    return token is not None and compare_digest(_sent(request).encode(), token.get_secret_value().encode())


def _sent(request: HTTPConnection) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except ValueError:  # no base64, or no text
            return ""
    return ""
