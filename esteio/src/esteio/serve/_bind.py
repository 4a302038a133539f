"""Taking the address before anything is started.

Promises: `bind` returns a socket that *listens*, so the address is ours for sure and no later worker can fail on it;
clients that come before the first worker is up wait in the backlog instead of being refused. Every worker, and every
replacement, accepts from this one socket. The one that a killed supervisor left with systemd is taken on, with those
who wait at it. Errors name the address and what to do.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from typing import Any

from esteio.serve._errors import AddressDenied, AddressInUse, AddressUnusable
from esteio.serve._handover import left_listener

__all__ = ["addresses", "bind"]


def bind(host: str, port: int, *, backlog: int = 2048) -> socket.socket:
    """Listen on `host`:`port` (0 = any free port), with `backlog` connections waiting at most.

    Raises AddressInUse, AddressDenied, or AddressUnusable when the host is unknown or not of this machine.
    """
    family, address = _resolve(host, port)
    left = left_listener(family, address)
    sock = left or socket.socket(family, socket.SOCK_STREAM)
    try:
        if left is None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
        sock.listen(backlog)
    except OSError as exc:
        sock.close()
        raise _translated(exc, host, port) from exc
    sock.setblocking(False)
    return sock


def addresses(sockets: Iterable[socket.socket]) -> str:
    """Where they listen, for people."""
    return ", ".join(_address(sock.getsockname()) for sock in sockets)


def _address(name: Any) -> str:
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else str(name)


def _resolve(host: str, port: int) -> tuple[int, tuple[str, int]]:
    if not 0 <= port <= 65535:
        raise AddressUnusable(host, port, "not a port number")
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as exc:
        raise AddressUnusable(host, port, f"unknown host ({exc})") from exc
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


def _translated(exc: OSError, host: str, port: int) -> AddressInUse | AddressDenied | AddressUnusable:
    if exc.errno == errno.EADDRINUSE:
        return AddressInUse(host, port)
    if exc.errno in (errno.EACCES, errno.EPERM):
        return AddressDenied(host, port)
    return AddressUnusable(host, port, exc.strerror or str(exc))
