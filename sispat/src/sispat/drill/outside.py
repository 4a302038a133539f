"""What surrounds the service, on loopback: a ViaCEP and a name server that can fail, and somebody who takes alerts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import struct
import time
from abc import ABC, abstractmethod
from typing import Self

__all__ = ["STREET", "AlertReceiver", "FakeNames", "FakeViacep"]


_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
STREET = "Rua Um"
"""What ViaCEP answers to every CEP."""


class _HttpServer(ABC):
    """Answers each request on loopback with what `answer` says; one connection, one request."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._open: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                self.take(await reader.readexactly(int(length[1])) if length else b"")
                await self.answer(head.split(b" ", 2)[1].decode(), writer)
        finally:
            self._open.discard(task)
            writer.close()

    def take(self, body: bytes) -> None:  # noqa: B027 - most have no use for it
        """What a request brought, before it is answered."""

    @abstractmethod
    async def answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        """Write the answer to a GET of `path`."""


class FakeViacep(_HttpServer):
    """ViaCEP, as well or as badly as `mode` says: "well", "away", "hangs", "garbage"."""

    def __init__(self) -> None:
        self.mode = "well"
        self.asked = 0
        """Requests since `mode` was set by a fault."""

    async def answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        """Answer as `mode` says."""
        self.asked += 1
        if self.mode == "away":
            writer.transport.abort()
            return
        if self.mode == "hangs":
            await asyncio.sleep(60)
        cep = path.split("/")[2]
        street = {
            "cep": f"{cep[:5]}-{cep[5:]}",
            "logradouro": STREET,
            "bairro": "Centro",
            "localidade": "Santos",
            "uf": "SP",
        }
        body = b"<html>em breve" if self.mode == "garbage" else json.dumps(street).encode()
        await _write(writer, body)


class AlertReceiver(_HttpServer):
    """Takes what is sent to WEBHOOK_URL: `arrivals` are the moments (`time.monotonic`) and texts of what is bad.

    That something works again, as after the fault before, is no detection, and left out.
    """

    def __init__(self) -> None:
        self.arrivals: list[tuple[float, str]] = []

    def take(self, body: bytes) -> None:
        """A notice, as apprise sends it: JSON with a type."""
        text = body.decode(errors="replace")
        with contextlib.suppress(ValueError, AttributeError):
            if json.loads(text).get("type") == "success":
                return
        self.arrivals.append((time.monotonic(), text))

    async def answer(self, path: str, writer: asyncio.StreamWriter) -> None:  # noqa: ARG002 - there is one address only
        """Thank for it."""
        await _write(writer, b"ok")


class FakeNames(asyncio.DatagramProtocol):
    """A name server: every name is this machine's, as well or as badly as `mode` says: "well", "away", "hangs"."""

    def __init__(self, address: str) -> None:
        self.mode = "well"
        self.asked = 0
        """Questions since `mode` was set by a fault."""
        self._address = address

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self._address, 53))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer (RFC 1035): 127.0.0.1 for A, nothing for other types, "server failure" when away."""
        self.asked += 1
        if self.mode != "hangs":
            self._transport.sendto(self._answer(data), addr)

    def _answer(self, question: bytes) -> bytes:
        name_ends = question.index(b"\0", 12) + 1
        (kind,) = struct.unpack_from("!H", question, name_ends)
        found = self.mode == "well" and kind == 1  # an A record
        flags = 0x8180 if self.mode == "well" else 0x8182  # a response, recursion available; 2: the server has failed
        head = question[:2] + struct.pack("!5H", flags, 1, int(found), 0, 0)
        # A pointer to the name in the question, type A, class IN, no second of caching, four bytes.
        record = struct.pack("!3HIH4B", 0xC00C, 1, 1, 0, 4, 127, 0, 0, 1) if found else b""
        return head + question[12 : name_ends + 4] + record


async def _write(writer: asyncio.StreamWriter, body: bytes) -> None:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
