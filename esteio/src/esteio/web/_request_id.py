"""A name for each request, so that a log line, an audit record and a person on the phone mean the same one.

Promises: `scope["state"]["request_id"]` and the `X-Request-ID` answer header hold it. One that the client
sent is kept when it is 8 to 64 harmless characters; anything else is replaced, because it ends up in logs.
"""

from __future__ import annotations

import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["RequestId"]

_HARMLESS = re.compile(rb"[A-Za-z0-9_.:-]{8,64}")


class RequestId:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the request, pass it on, name the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = sent if _HARMLESS.fullmatch(sent) else secrets.token_hex(8).encode()
        scope.setdefault("state", {})["request_id"] = request_id.decode()

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)

        await self.app(scope, receive, send_named)
