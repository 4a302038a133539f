"""From an address to a connection on which decisions can be made.

Promises: what is returned is authenticated, on the right database, to a server that takes writes and knows the
script; everything else is a `Trouble`, within the time limit. In a trio of Sentinels the server is the one they
call the primary now.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import hiredis

from esteio.limit.redis._address import Address, Node
from esteio.limit.redis._errors import Trouble, trouble
from esteio.limit.redis._script import SOURCE
from esteio.limit.redis._wire import Wire

__all__ = ["Credentials", "open_wire", "primary_by_sentinels", "ready_wire"]

_SENTINEL = 0.5  # seconds for one Sentinel to answer


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to be let in."""

    username: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    tls: ssl.SSLContext | None = None

    def commands(self) -> list[tuple[str, ...]]:
        """What is said first."""
        said: list[tuple[str, ...]] = []
        if self.password:
            said.append(("AUTH", self.username, self.password) if self.username else ("AUTH", self.password))
        if self.database:
            said.append(("SELECT", str(self.database)))
        return said


async def open_wire(node: Node, credentials: Credentials, timeout: float) -> Wire:
    """A connection to `node` that is let in; Trouble when there is none within `timeout` seconds."""
    loop = asyncio.get_running_loop()
    host, port = node
    wire: Wire | None = None
    try:
        async with asyncio.timeout(timeout):
            if port:
                name = host if credentials.tls is not None else None
                _, wire = await loop.create_connection(Wire, host, port, ssl=credentials.tls, server_hostname=name)
            else:
                _, wire = await loop.create_unix_connection(Wire, host)
            for answer in await _together(wire, credentials.commands()):
                if isinstance(answer, Exception):
                    raise answer
    except Exception as error:
        if wire is not None:
            wire.abort()
        found = trouble(error)
        raise Trouble("gone" if isinstance(error, TimeoutError) else found.reason, found.detail) from error
    except BaseException:
        if wire is not None:
            wire.abort()
        raise
    return wire


async def ready_wire(wire: Wire, timeout: float) -> str:
    """See to it that decisions can be made over `wire`; the run id of the server, empty when it does not tell."""
    async with asyncio.timeout(timeout):
        role, info, loaded = await _together(wire, [("ROLE",), ("INFO", "server"), ("SCRIPT", "LOAD", SOURCE)])
    for answer in (loaded, role):
        if isinstance(answer, Exception) and not (answer is role and trouble(answer).reason == "refused"):
            raise trouble(answer)
    if isinstance(role, list) and role and role[0] != b"master":
        raise Trouble("readonly", f"its role is {role[0].decode(errors='replace')}")
    return _run_id(info)


async def primary_by_sentinels(sentinels: list[Node], service: str, credentials: Credentials) -> Node:
    """Where the primary of `service` is; a Sentinel that knew is asked first from then on."""
    last = Trouble("gone", "no Sentinels")
    for node in tuple(sentinels):
        try:
            found = await _asked(node, service, credentials)
        except Trouble as error:
            last = error
            continue
        sentinels.remove(node)
        sentinels.insert(0, node)
        return found
    raise Trouble("gone", f"no Sentinel knows the primary of {service!r}; the last one: {last}")


async def _asked(node: Node, service: str, credentials: Credentials) -> Node:
    wire = await open_wire(node, credentials, _SENTINEL)
    try:
        async with asyncio.timeout(_SENTINEL):
            answer = await wire.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
    except (OSError, hiredis.HiredisError, Trouble) as error:
        raise trouble(error) from error
    finally:
        wire.abort()
    if not answer:
        raise Trouble("gone", f"the Sentinel at {node[0]}:{node[1]} does not know {service!r}")
    return answer[0].decode(), int(answer[1])


async def _together(wire: Wire, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The answers to all `commands`, sent at once; errors are among them."""
    return await asyncio.gather(*(wire.ask(*command) for command in commands), return_exceptions=True)


def _run_id(info: Any) -> str:
    if not isinstance(info, bytes):
        return ""
    lines = (line.partition(b":") for line in info.splitlines())
    return next((value.decode() for name, _, value in lines if name == b"run_id"), "")


def credentials_of(address: Address, tls: ssl.SSLContext | None) -> Credentials:
    """What `address` says about being let in."""
    context = tls or (ssl.create_default_context() if address.tls else None)
    return Credentials(address.username, address.password, address.database, context)
