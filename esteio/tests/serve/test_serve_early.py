"""What an application refuses by the head alone: answered by the protocol, on the running server."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
import uvicorn

from esteio.serve import EARLY_REFUSAL, ConnectionLimits, EarlyAnswer, http_protocol, lifecycle
from esteio.serve import _early as early

BODY = b"come back later"
ANSWER = EarlyAnswer(503, [(b"content-length", b"15"), (b"retry-after", b"2")], BODY)


class Served:
    """A server in this loop whose application refuses `/no` early and answers everything else with its path."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.protocol = http_protocol(ConnectionLimits())

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            scope["state"][EARLY_REFUSAL] = self.refuse
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        while (await receive()).get("more_body"):
            pass
        body = scope["path"].encode()
        self.seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    def refuse(self, head):
        scope = head()
        if scope["path"] == "/broken":
            raise LookupError("of the application")
        return ANSWER if scope["path"] == "/no" and scope["method"] in ("GET", "HEAD", "POST") else None

    @property
    def held(self) -> list[bool]:
        """Of the connections that are held: whether they are not read."""
        return [each.flow.read_paused for _, each in self.protocol.__self__.early._held]


@pytest.fixture
async def served():
    served, listener = Served(), socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(served, http=served.protocol, lifespan="on", log_config=None, ws="none"))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.005)
    served.port = listener.getsockname()[1]
    yield served
    server.should_exit = True
    await running


@contextlib.asynccontextmanager
async def connected(served):
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        async with asyncio.timeout(20):
            yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def answered(reader, *, head=False) -> tuple[int, dict[str, str], bytes]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), fields, b"" if head else await reader.readexactly(int(fields["content-length"]))


def request(path: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *fields, "", ""]).encode()


async def test_who_is_refused_keeps_the_connection_and_is_read_again_after_a_moment(served, monkeypatch) -> None:
    monkeypatch.setattr(early, "_HELD", 0.1)
    async with connected(served) as (reader, writer), connected(served) as (other, to_other):
        writer.write(request("/no?x=1"))
        status, fields, body = await answered(reader)
        assert (status, body, fields["retry-after"]) == (503, BODY, "2")
        assert "date" in fields
        assert "connection" not in fields
        assert served.held == [True]
        writer.write(request("/yes"))
        to_other.write(request("/yes"))
        assert (await answered(other))[0] == 200
        assert (await answered(reader))[2] == b"/yes"
        assert served.held == []
    assert served.seen == ["/yes", "/yes"]


async def test_a_connection_of_a_proxy_is_read_at_once(served) -> None:
    async with connected(served) as (reader, writer):
        for field in ("X-Forwarded-For: 203.0.113.7", "Forwarded: for=203.0.113.7", "Via: 1.1 proxy"):
            writer.write(request("/no", field))
            assert (await answered(reader))[0] == 503
            assert served.held == []
        writer.write(request("/yes"))
        assert (await answered(reader))[0] == 200


async def test_head_has_no_body_and_who_wants_the_connection_closed_gets_it_closed(served) -> None:
    async with connected(served) as (reader, writer):
        writer.write(request("/no", method="HEAD"))
        assert (await answered(reader, head=True))[1]["content-length"] == "15"
    for last in (request("/no", "Connection: close"), request("/no", version="1.0")):
        async with connected(served) as (reader, writer):
            writer.write(last)
            status, fields, _ = await answered(reader)
            assert (status, fields["connection"]) == (503, "close")
            assert await reader.read() == b""
    assert served.seen == []


async def test_what_has_a_body_or_was_sent_ahead_or_cannot_be_judged_takes_the_applications_own_way(served) -> None:
    async with connected(served) as (reader, writer):
        writer.write(request("/no", "Content-Length: 5", method="POST") + b"12345")
        assert (await answered(reader))[2] == b"/no"
        writer.write(request("/no", "Transfer-Encoding: chunked", method="POST") + b"0\r\n\r\n")
        assert (await answered(reader))[2] == b"/no"
        writer.write(request("/first") + request("/no"))
        assert [(await answered(reader))[2] for _ in range(2)] == [b"/first", b"/no"]
        writer.write(request("/broken"))
        assert (await answered(reader))[2] == b"/broken"
        writer.write(request("/no") * 3)
        assert [(await answered(reader))[0] for _ in range(3)] == [503, 200, 200], "one for each read"


async def test_while_it_drains_everybody_is_served_and_whoever_was_held_is_read(served, monkeypatch) -> None:
    async with connected(served) as (reader, writer):
        writer.write(request("/no"))
        assert (await answered(reader))[0] == 503
        monkeypatch.setattr(lifecycle, "draining", True)
        writer.write(request("/no"))
        assert (await answered(reader))[2] == b"/no"
