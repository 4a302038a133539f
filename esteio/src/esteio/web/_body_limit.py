"""An upper limit on request bodies.

Promises: a body that says it is larger is refused before any of it is read; one that lies, or comes in
chunks, is refused at the byte that crosses the line. The refusal is an exception raised to the
application from its own `receive` (`BodyTooLarge`), so that the application words the 413 itself; nothing
is buffered here.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from esteio.errors import EsteioError

__all__ = ["BodyLimit", "BodyTooLarge"]

_DIGITS = 18  # of a length; more are more than anything, and int() refuses thousands of them


class BodyTooLarge(EsteioError):
    """The request body is over the limit, both in bytes."""

    def __init__(self, limit: int, announced: int | None) -> None:
        self.limit = limit
        self.announced = announced
        size = "more" if announced is None else f"{announced} bytes"
        super().__init__(f"request body is {size}, the limit is {limit} bytes; send less or raise the limit")


class BodyLimit:
    """ASGI middleware; `limit` in bytes. `larger` gives the limit of a scope that has another one, None for all others."""

    def __init__(self, app: ASGIApp, limit: int, larger: Callable[[Scope], int | None] | None = None) -> None:
        if limit < 1:
            msg = f"BodyLimit: limit={limit}; pass at least 1 byte"
            raise ValueError(msg)
        self.app = app
        self.limit = limit
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what the application receives, of a GET too; what it does not ask for costs nothing."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        received, limit = 0, 0

        async def receive_counted() -> Message:
            nonlocal received, limit
            limit = limit or self._limit_of(scope)  # most requests have no body, and nobody asks for theirs
            announced = None if received else _content_length(scope)
            if announced is not None and announced > limit:
                raise BodyTooLarge(limit, announced)
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise BodyTooLarge(limit, None)
            return message

        await self.app(scope, receive_counted, send)

    def _limit_of(self, scope: Scope) -> int:
        return (self._larger and self._larger(scope)) or self.limit


def _content_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value[:_DIGITS]) if value.isdigit() else None
    return None
