"""A name for each request, so that a log line, an audit record and a person on the phone mean the same one.

Promises: `scope["state"]["request_id"]` and the `X-Request-ID` answer header hold a name that this process made: nobody
outside can choose it, or make two requests share one. What the client calls the request by its own `X-Request-ID` is in
`scope["state"]["client_request_id"]` and answered as `X-Client-Request-ID`, when it is 8 to 64 harmless characters;
anything else is ignored, because it ends up in logs. For those, `esteio.correlation` has it during the request.
"""

from __future__ import annotations

import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from esteio import correlation

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
        theirs = sent if _HARMLESS.fullmatch(sent) else None
        request_id = secrets.token_hex(8).encode()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id.decode()
        state["client_request_id"] = theirs.decode() if theirs else None

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
                if theirs:
                    message["headers"].append((b"x-client-request-id", theirs))
            await send(message)

        known = correlation.request_id.set(state["request_id"])
        try:
            await self.app(scope, receive, send_named)
        finally:
            correlation.request_id.reset(known)
