"""The application the fault tests serve; files in $SERVED_DIR make it misbehave."""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path

from esteio.serve import lifecycle

SWITCHES = Path(os.environ["SERVED_DIR"])
leaked: list[bytes] = []


if (SWITCHES / "broken").exists():
    raise RuntimeError("the switch says so")


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    path = scope["path"]
    if path == "/block":
        time.sleep(60)  # noqa: ASYNC251 - the fault
    elif path == "/leak":
        leaked.append(bytes(random.randbytes(2**20)) * int(scope["query_string"]))
    elif path == "/slow":
        await asyncio.sleep(float(scope["query_string"]))
    elif path == "/read":
        await asyncio.sleep(float(scope["query_string"] or b"0"))
        await _read(receive, send)
        return
    elif path == "/big":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(200):
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
    elif path == "/stream":
        await _stream(send, float(scope["query_string"]))
        return
    body = f"{os.getpid()} {lifecycle.ready} {lifecycle.draining}".encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


async def _read(receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def _stream(send, seconds):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"a", "more_body": True})
    await asyncio.sleep(seconds)
    await send({"type": "http.response.body", "body": b"z"})


async def _lifespan(receive, send):
    await receive()
    if (SWITCHES / "crash").exists():
        os._exit(7)
    if (SWITCHES / "fail").exists():
        await send({"type": "lifespan.startup.failed", "message": "the switch says so"})
        return
    lifecycle.ready = not (SWITCHES / "unready").exists()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    with (SWITCHES / "order").open("a") as order:
        order.write("app\n")
    await send({"type": "lifespan.shutdown.complete"})
