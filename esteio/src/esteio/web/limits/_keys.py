"""Whose allowance a request uses: functions from an ASGI scope to a key.

Promises: None means that the rule does not apply to this request. Any function of the scope will do; these are the
usual ones.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Scope

from esteio.limit.keys import LOCAL, TrustedProxies, address_key

__all__ = ["KeyFunction", "by_address", "by_header", "by_user"]

KeyFunction = Callable[[Scope], str | None]


def by_address(trusted: TrustedProxies | None = None) -> KeyFunction:
    """The client's address: IPv4 whole, IPv6 its /64. Without `trusted` proxies, whoever connected.

    Where the server already resolved forwarding headers (uvicorn's `--forwarded-allow-ips`), pass nothing.
    """
    if not trusted:
        return _peer

    def client(scope: Scope) -> str:
        x_forwarded_for: list[str] = []
        forwarded: list[str] = []
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                x_forwarded_for.append(value.decode("latin-1"))
            elif name == b"forwarded":
                forwarded.append(value.decode("latin-1"))
        peer = scope.get("client")
        return address_key(trusted.client(peer[0] if peer else None, x_forwarded_for, forwarded))

    return client


def _peer(scope: Scope) -> str:
    peer = scope.get("client")
    return address_key(peer[0]) if peer and peer[0] else LOCAL


def by_user(attribute: str = "display_name") -> KeyFunction:
    """The person Starlette's AuthenticationMiddleware found, by this attribute; None while nobody is signed in."""

    def user(scope: Scope) -> str | None:
        person = scope.get("user")
        return str(getattr(person, attribute)) if person is not None and person.is_authenticated else None

    return user


def by_header(name: str) -> KeyFunction:
    """The value of a header, None where it is missing or empty.

    A client writes what it likes there: only for headers that something in front checks, or beside a rule by address.
    """
    wanted = name.lower().encode("latin-1")

    def header(scope: Scope) -> str | None:
        for each, value in scope["headers"]:
            if each == wanted:
                return value.decode("latin-1") or None
        return None

    return header
