"""What surrounds the service, on loopback: a ViaCEP that can fail, and somebody who takes alerts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from abc import ABC, abstractmethod
from typing import Self

__all__ = ["AlertReceiver", "FakeViacep"]


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
                await self.answer(head.split(b" ", 2)[1].decode(), writer)
        finally:
            self._open.discard(task)
            writer.close()

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
            "logradouro": "Rua Um",
            "bairro": "Centro",
            "localidade": "Santos",
            "uf": "SP",
        }
        body = b"<html>em breve" if self.mode == "garbage" else json.dumps(street).encode()
        await _write(writer, body)


class AlertReceiver(_HttpServer):
    """Takes what is sent to WEBHOOK_URL; `arrivals` are the moments (`time.monotonic`)."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []

    async def answer(self, path: str, writer: asyncio.StreamWriter) -> None:  # noqa: ARG002 - there is one address only
        """Take it."""
        self.arrivals.append(time.monotonic())
        await _write(writer, b"ok")


async def _write(writer: asyncio.StreamWriter, body: bytes) -> None:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
