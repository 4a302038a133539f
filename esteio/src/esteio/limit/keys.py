"""Whose request it is, by address: one key per client, whatever the client writes into its headers.

Promises: only proxies that are trusted by configuration are believed, hop by hop from the right, the side they
write on; what the client wrote itself, on the left, is never reached. Ports, brackets and zone ids are dropped,
IPv4 inside IPv6 becomes IPv4 first, and only then IPv6 is cut to the /64 that one subscriber owns. Garbage is never an error
and never a key of its own: the last address that somebody trustworthy wrote counts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

from esteio.errors import EsteioError

__all__ = ["LOCAL", "InvalidNetwork", "TrustedProxies", "address_key"]

LOCAL = "local"  # the key of peers without an address: a Unix socket, a test client

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LONGEST = 64  # characters of "[v6%zone]:port"; what is longer is no address
_SUBSCRIBER = 64  # bits of an IPv6 address that tell one subscriber from another
_HOPS = 32  # nobody stands behind more proxies; bounds the work a long header can cause
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class InvalidNetwork(EsteioError, ValueError):
    """A trusted proxy that is neither an address nor a network."""

    def __init__(self, value: str) -> None:
        self.value = value
        super().__init__(
            f'trusted proxy "{value}" is neither an IP address, nor a network like 10.0.0.0/8, nor "unix"; '
            "name the addresses your proxies connect from"
        )


class TrustedProxies:
    """The proxies whose word counts: addresses, networks, and "unix" for whoever comes by a Unix socket.

    `hops`, where given, is how many proxies are believed at most, for clouds whose balancers have no fixed
    address: `TrustedProxies(["0.0.0.0/0", "::/0"], hops=1)` believes exactly the last one.
    """

    __slots__ = ("_hops", "_networks", "_trusts", "_unix")

    def __init__(self, networks: Iterable[str] | str = (), *, hops: int | None = None) -> None:
        if hops is not None and (type(hops) is not int or not 1 <= hops <= _HOPS):
            msg = f"TrustedProxies: hops={hops!r}; pass a whole number from 1 to {_HOPS}, or None for as many as are trusted"
            raise ValueError(msg)
        names = [name.strip() for name in (networks.split(",") if isinstance(networks, str) else networks)]
        self._unix = "unix" in names
        self._networks = tuple(_network(name) for name in names if name and name != "unix")
        self._hops = hops or _HOPS
        self._trusts = lru_cache(maxsize=1024)(self._look)

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def client(self, peer: str | None, forwarded_for: Sequence[str] = (), forwarded: Sequence[str] = ()) -> str:
        """The client's address as text, "" where nobody knows it.

        `peer` is who connected (None or "" for a Unix socket); the others are the values of all X-Forwarded-For and
        all Forwarded (RFC 7239) fields, in order. X-Forwarded-For wins where both were sent: a proxy that appends to
        one passes the other on as the client sent it, so configure proxies to remove the one they do not write.
        """
        current = parse_address(peer or "")
        if current is None and not self._unix:
            return ""
        if current is not None and not self._trusts(current):
            return str(current)
        hops = _x_forwarded_for(forwarded_for) if forwarded_for else _forwarded(forwarded)
        for text in hops[: self._hops]:
            address = parse_address(text)
            if address is None:  # "unknown", "_hidden", garbage: nobody we trust says more
                break
            current = address
            if not self._trusts(address):
                break
        return "" if current is None else str(current)

    def _look(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._networks)


def address_key(address: str) -> str:
    """The key for an address in any spelling: IPv4 whole, IPv6 its /64, `LOCAL` for what is no address."""
    return _address_key(address) if len(address) <= _LONGEST else LOCAL


@lru_cache(maxsize=4096)
def _address_key(address: str) -> str:
    parsed = parse_address(address)
    if parsed is None:
        return LOCAL
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.IPv6Network((parsed, _SUBSCRIBER), strict=False))


def parse_address(text: str) -> Address | None:
    """An address without port, brackets, quotes and zone; IPv4 wherever it is IPv4 inside; None for anything else."""
    text = text.strip().strip('"')
    if not text or len(text) > _LONGEST:
        return None
    if text[0] == "[":
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return _unmapped(address) if isinstance(address, ipaddress.IPv6Address) else address


def _unmapped(address: ipaddress.IPv6Address) -> Address:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:  # RFC 6052: all IPv4 clients behind a NAT64 would share one /64
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _network(name: str) -> Network:
    try:
        return ipaddress.ip_network(name, strict=False)
    except ValueError:
        raise InvalidNetwork(name) from None


def _x_forwarded_for(values: Sequence[str]) -> list[str]:
    """The hops, nearest first."""
    return ",".join(values).rsplit(",", _HOPS)[: -_HOPS - 1 : -1]


def _forwarded(values: Sequence[str]) -> list[str]:
    """The `for=` of each element, nearest first; "" where an element has none."""
    return [_for(element) for element in ",".join(values).rsplit(",", _HOPS)[: -_HOPS - 1 : -1] if element]


def _for(element: str) -> str:
    for pair in element.split(";"):
        name, _, value = pair.partition("=")
        if name.strip().lower() == "for":
            return value
    return ""
