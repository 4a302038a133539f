"""One request over one new connection: HTTP/1.1, read by llhttp.

Promises: no redirect is followed, no proxy asked, and nothing kept open. What is longer than `limit` bytes is cut off. OSError
and ValueError say what went wrong.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlsplit

from esteio import __version__
from esteio.extras import needs

with needs("watch"):
    from httptools import HttpParserError, HttpResponseParser

__all__ = ["Answer", "fetch", "verifying"]

_CHUNK = 65_536
_LIMIT = 1 << 20  # bytes of a body


@dataclass(slots=True)
class Answer:
    """`headers` have small names. `expires`: when the certificate of the server does, as it says."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    expires: str = ""


class _Reading:
    """What the parser tells."""

    def __init__(self) -> None:
        self.parser = HttpResponseParser(self)
        self.headers: dict[str, str] = {}
        self.chunks: list[bytes] = []
        self.size = 0
        self.done = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.chunks.append(body)
        self.size += len(body)

    def on_message_complete(self) -> None:
        self.done = self.parser.get_status_code() >= 200
        if not self.done:  # "103 Early Hints": the answer follows
            self.headers = {}


@cache
def verifying(authority: str = "") -> ssl.SSLContext:
    """Checks certificates as browsers do; made once, as reading the system's authorities takes 20 ms."""
    return ssl.create_default_context(cafile=authority or None)


async def fetch(
    url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b"", limit: int = _LIMIT,
    authority: str = "",
) -> Answer:  # fmt: skip
    """Ask `url` once; who calls limits the time. `authority`: a file of certificates to trust in place of the system's."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    context = verifying(authority) if secure else None
    reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host if secure else None)
    try:
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        writer.write(_request(method, target, parts.netloc.rpartition("@")[2], headers or {}, body))
        answer = await _read(reader, limit)
        if secure:
            secured = writer.get_extra_info("ssl_object")
            answer.expires = str((secured.getpeercert() or {}).get("notAfter", ""))
        return answer
    finally:
        writer.transport.abort()  # without a good-bye that a hanging server would have to answer


def _request(method: str, target: str, host: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = {
        "Host": host,
        "User-Agent": f"esteio-watch/{__version__}",
        "Accept": "*/*",
        "Connection": "close",
        **headers,
    }
    if body or method != "GET":
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1", "replace") + body


async def _read(reader: asyncio.StreamReader, limit: int) -> Answer:
    reading = _Reading()
    parser = reading.parser
    while not reading.done and reading.size < limit:
        data = await reader.read(_CHUNK)
        if not data:
            break  # the end of a body without a length, or a connection that was cut
        try:
            parser.feed_data(data)
        except HttpParserError as error:
            raise ValueError("it does not speak HTTP") from error
    status = int(parser.get_status_code())
    if not status:
        raise ConnectionResetError("it closed the connection without an answer")
    length = reading.headers.get("content-length", "")
    if not reading.done and reading.size < limit and (length.isdecimal() or "transfer-encoding" in reading.headers):
        raise ConnectionResetError("it closed the connection in the middle of its answer")
    return Answer(status, reading.headers, b"".join(reading.chunks)[:limit])
