"""Where Redis is: one server, the Sentinels that know it, or the nodes of a Cluster. Pure.

Promises: what is accepted can be connected to; anything else is a `RedisAddressError` that never shows a password.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from esteio.limit.redis._errors import RedisAddressError

__all__ = ["Address", "Node", "parse"]

Node = tuple[str, int]
"""(host, port); of a Unix socket (path, 0)."""

_SCHEMES = {
    "redis": ("single", False),
    "rediss": ("single", True),
    "unix": ("unix", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""What the query of an address with TLS may name, as redis-py calls them."""
_PORTS = {"single": 6379, "sentinel": 26379, "cluster": 6379}


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address. `nodes` are the servers, the Sentinels or the first nodes to ask, by `kind`."""

    kind: Literal["single", "unix", "sentinel", "cluster"]
    nodes: tuple[Node, ...]
    service: str = ""
    database: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    authority: str = ""
    """The path of a PEM file: who signed the servers' certificates. Empty: whom the system believes."""
    certificate: str = ""
    """The path of a PEM file: what the servers are shown. `key` is its key's."""
    key: str = ""

    def context(self) -> ssl.SSLContext | None:
        """For a connection with TLS, of the files as they are now; OSError (ssl.SSLError is one) where they cannot be used."""
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=self.authority or None)
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key or None)
        return context

    def __str__(self) -> str:
        where = ",".join(host if self.kind == "unix" else f"{host}:{port}" for host, port in self.nodes)
        return f"{self.kind} {where}" + (f"/{self.service}" if self.service else "")


def parse(url: str, password: str | None = None) -> Address:
    """Read a URL; `password` takes the place of one in it. RedisAddressError when it is malformed."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise RedisAddressError("the scheme", parts.scheme, ", ".join(f"{each}://" for each in _SCHEMES))
    kind, tls = _SCHEMES[parts.scheme]
    userinfo, _, authority = parts.netloc.rpartition("@")
    username, _, inside = userinfo.partition(":")
    nodes, service, database = _place(kind, authority, parts)
    files = _files(parts.query) if tls else ("", "", "")
    return Address(
        kind,  # type: ignore[arg-type]
        nodes,
        service,
        database,
        unquote(username),
        unquote(inside) if password is None else password,
        tls,
        *files,
    )


def _files(query: str) -> tuple[str, ...]:
    """The three of `_FILES`; empty what is not named."""
    told = parse_qs(query, keep_blank_values=True)
    if others := sorted(each for each in told.keys() - {*_FILES} if each.startswith("ssl_")):
        raise RedisAddressError("the query", others[0], f"of those of TLS: {', '.join(_FILES)}")
    return tuple(told.get(name, [""])[0] for name in _FILES)


def _place(kind: str, authority: str, parts: SplitResult) -> tuple[tuple[Node, ...], str, int]:
    if kind == "unix":
        if not parts.path:
            raise RedisAddressError("the path", parts.path, "the path of a socket, as in unix:///run/redis.sock")
        return ((unquote(parts.path), 0),), "", _database(parse_qs(parts.query).get("db", ["0"])[0])
    nodes = tuple(_node(each, _PORTS[kind]) for each in authority.split(","))
    if kind == "single" and len(nodes) > 1:
        raise RedisAddressError("the host", authority, "one host; several need redis+sentinel:// or redis+cluster://")
    segments = [unquote(each) for each in parts.path.split("/") if each]
    if kind == "sentinel":
        if not segments or len(segments) > 2:
            raise RedisAddressError(
                "the path", parts.path, "the service's name, as in redis+sentinel://host:26379/mymaster"
            )
        return nodes, segments[0], _database(segments[1]) if len(segments) == 2 else 0
    if len(segments) > 1 or (kind == "cluster" and segments not in ([], ["0"])):
        raise RedisAddressError("the path", parts.path, "none" if kind == "cluster" else "/ and a database's number")
    return nodes, "", _database(segments[0]) if segments else 0


def _node(text: str, port: int) -> Node:
    host, colon, number = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host = text
    elif not (number.isascii() and number.isdigit() and 1 <= int(number) <= 65535):
        raise RedisAddressError("the port", number, "a number from 1 to 65535")
    host = host.strip("[]")
    if not host:
        raise RedisAddressError("the host", text, "host, host:port or [IPv6]:port")
    return host, int(number) if colon else port


def _database(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise RedisAddressError("the database", text, "a number")
    return int(text)
