"""What an application refuses before a request has cost anything: asked by our protocol when the head is whole.

An application offers it in the `state` of its lifespan (ASGI, "Lifespan State") under `EARLY_REFUSAL`; servers that do not
know the name carry it along unused. Promises: no task, no middleware and no line of a log for a request refused so. Nothing
is that has a body, asks for another protocol or was sent ahead of an answer, nor while the process drains: all that takes
the application's own way. The connection goes on, but is not read for `_HELD` seconds: a client that was told to come back
later and asks again at once waits in its own buffers. One that brings other people's requests, a proxy's, is read at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from esteio.clock import SYSTEM
from esteio.outage_log import OutageLog
from esteio.serve._lifecycle import lifecycle

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["EARLY_REFUSAL", "EarlyAnswer", "EarlyRefusal", "EarlyRefusals"]

_logger = logging.getLogger("esteio.serve")

EARLY_REFUSAL = "esteio.serve.early_refusal"

_HELD = 1.0  # seconds; half of what the shortest Retry-After of an overload says
_RELEASE = 0.05  # seconds between two looks at whom to read again
_BODY = frozenset((b"content-length", b"transfer-encoding"))
_PROXIED = frozenset((b"x-forwarded-for", b"forwarded", b"via"))
_CLOSE = (b"connection", b"close")


class EarlyAnswer(NamedTuple):
    """A whole answer. `headers` are in lower case and say the length of `body`."""

    status: int
    headers: Iterable[tuple[bytes, bytes]]
    body: bytes

    def encoded(self, more: Iterable[tuple[bytes, bytes]], *, head: bool) -> bytes:
        """As HTTP/1.1, with `more` headers; `head`: without the body."""
        lines = [b"HTTP/1.1 %d %s" % (self.status, HTTPStatus(self.status).phrase.encode())]
        lines += [name + b": " + value for name, value in (*more, *self.headers)]
        return b"\r\n".join([*lines, b"", b"" if head else self.body])


EarlyRefusal = Callable[[Callable[[], dict[str, Any]]], EarlyAnswer | None]
"""Given a function that makes the request's scope, as far as its head tells; None: serve it. It is called in the event loop
and must wait for nothing. Headers of proxies have not been looked at: scheme and client are those of the connection."""


class EarlyRefusals:
    """Of all connections of a worker."""

    def __init__(self) -> None:
        self._held: deque[tuple[float, HttpToolsProtocol]] = deque()
        self._failures = OutageLog(_logger)

    def ask(self, connection: HttpToolsProtocol, head: Callable[[], dict[str, Any]]) -> EarlyAnswer | None:
        """The answer to the request whose head has just come, as `head` makes a scope of it; None: serve it."""
        refuse: EarlyRefusal | None = connection.app_state.get(EARLY_REFUSAL)
        if refuse is None or lifecycle.draining or connection.flow.write_paused or connection.parser.should_upgrade():
            return None
        if connection.cycle is not None and not connection.cycle.response_complete:
            return None
        if any(name in _BODY for name, _ in connection.headers):
            return None
        try:
            return refuse(head)
        except Exception as error:  # noqa: BLE001 - whoever cannot be judged is served
            self._failures.failed("early refusals failed", repr(error))
            return None

    def answer(self, connection: HttpToolsProtocol, answer: EarlyAnswer) -> bool:
        """Send it once the request is over; whether the connection goes on."""
        parser = connection.parser
        keep: bool = parser.get_http_version() != "1.0" and parser.should_keep_alive()
        more = [*connection.server_state.default_headers, *(() if keep else (_CLOSE,))]
        connection.transport.write(answer.encoded(more, head=parser.get_method() == b"HEAD"))
        if not keep:
            connection.transport.close()
        elif not any(name in _PROXIED for name, _ in connection.headers):
            self._hold(connection)
        return keep

    def _hold(self, connection: HttpToolsProtocol) -> None:
        connection.flow.pause_reading()
        if not self._held:
            connection.loop.call_later(_RELEASE, self._release, connection.loop)
        self._held.append((SYSTEM.monotonic() + _HELD, connection))

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        now = SYSTEM.monotonic()
        # A drain closes what is idle after a grace: what a client has sent by then has to be read.
        while self._held and (self._held[0][0] <= now or lifecycle.draining):
            _, connection = self._held.popleft()
            if not connection.transport.is_closing():
                connection.flow.resume_reading()
        if self._held:
            loop.call_later(_RELEASE, self._release, loop)
