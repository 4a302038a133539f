"""Clocks of others that ours is compared with: an NTP server's, or the Date of a web server.

Promises: blocking, so in threads of their own; an answer that is not one to our question is refused.
"""

from __future__ import annotations

import secrets
import socket
import struct
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit

from esteio.health._blocking import BlockingProbe
from esteio.health._check import Unwell

__all__ = ["http_clock", "ntp_clock"]

_PACKET = struct.Struct("!BBBb11I")  # RFC 5905, figure 8
_CLIENT, _SERVER = 3, 4  # modes
_VERSION = 4 << 3
_SINCE_1900 = 2_208_988_800  # seconds from 1900, where NTP begins to count, to 1970
_ERA = 1 << 32  # seconds after which it counts anew, in 2036


def ntp_clock(host: str, port: int = 123, *, timeout: float = 0.7) -> BlockingProbe:
    """Unix seconds, as the NTP server says: a reference for `clock`."""

    def ask() -> float:
        question = secrets.randbits(64)  # the server sends it back, and nobody else can
        sent = _PACKET.pack(_VERSION | _CLIENT, *[0] * 12, question >> 32, question & 0xFFFFFFFF)
        with socket.socket(socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0][0], socket.SOCK_DGRAM) as line:
            line.settimeout(timeout)
            line.connect((host, port))
            line.send(sent)
            answer = line.recv(512)
        if len(answer) < _PACKET.size:
            raise Unwell("the answer is no NTP")
        first, stratum, *_, began, began_part, _received, _received_part, seconds, part = _PACKET.unpack_from(answer)
        if first & 7 != _SERVER or not 1 <= stratum <= 15 or (began << 32 | began_part) != question:
            raise Unwell("the NTP server has no time, or the answer is to another question")
        since = float(seconds) - _SINCE_1900
        moment: float = (since if since >= 0 else since + _ERA) + part / _ERA
        return moment

    return BlockingProbe(ask, f"ntp {host}")


def http_clock(url: str, *, timeout: float = 0.7) -> BlockingProbe:
    """Unix seconds, as the Date of the answer to HEAD says, to half a second: a reference for `clock`."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        msg = f"http_clock({url!r}): give http:// or https:// with a host"
        raise ValueError(msg)

    def ask() -> float:
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=timeout)
        try:
            connection.request("HEAD", parts.path or "/", headers={"Connection": "close"})
            date = connection.getresponse().getheader("Date")
        finally:
            connection.close()
        if not date:
            raise Unwell("the answer has no Date")
        return parsedate_to_datetime(date).timestamp() + 0.5  # whole seconds, rounded down

    return BlockingProbe(ask, f"date {parts.hostname}")
