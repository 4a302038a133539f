"""HTTP/1.1 for clients that may be slow, endless or many: uvicorn's httptools protocol with the bounds of `ConnectionLimits`.

Promises: what one client holds of memory and time is bounded, whatever it sends or does not send. Whoever is refused is
told why, in the form it accepts, as long as that is possible. Probes are answered while others are refused. The log has
one line when refusing begins, one a minute, and one when it is over. What the application refuses by the head alone
(`_early`) costs no task.

uvicorn has a keep-alive timeout, counts open connections (idle ones too) and nothing else of this. A reverse proxy in front
has such bounds of its own; this is for services that have none, and for what a proxy lets through.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from esteio.clock import SYSTEM
from esteio.outage_log import OutageLog
from esteio.serve._connections import Connections
from esteio.serve._early import EarlyAnswer, EarlyRefusals
from esteio.serve._refusals import BAD_REQUEST, HEAD_TOO_LARGE, OVERLOADED, TOO_MANY, TOO_SLOW, Refusal, RefusalWords
from esteio.serve._settings import ConnectionLimits

__all__ = ["Edge", "EdgeProtocol"]

_logger = logging.getLogger("esteio.serve")
_SWEEP = 0.5  # seconds between two looks at what is late
_PIECE = 16 * 1024  # bytes given to the parser at once: how far beyond `head_bytes` a head can get
_LINGER = 2.0  # seconds for a refused client to read its answer before the connection is cut
_MOST_DROPPED = (
    16 * 1024 * 1024
)  # bytes a refused client may still send meanwhile; closing at once would cost it the answer
_MOST_UNREAD = (
    30.0  # seconds that the rest of a body may take whose request is answered already, as nginx's lingering_time
)


class Edge:
    """What all connections of a worker share; `protocol` is the `http` of `uvicorn.Config`."""

    def __init__(self, limits: ConnectionLimits, trusted: str = "", words: RefusalWords | None = None) -> None:
        self.limits = limits
        self.words = words or RefusalWords()
        self.connections: Connections[EdgeProtocol] = Connections(limits, trusted.split(","))
        self.refused = OutageLog(_logger)
        self._probe_paths = frozenset(path.encode() for path in limits.probe_paths)
        self._sweeping = False
        self.early = EarlyRefusals()

    def protocol(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], **more: Any
    ) -> EdgeProtocol:
        """A protocol for a new connection; uvicorn calls it as it would call a class."""
        return EdgeProtocol(self, config, server_state, app_state, **more)

    def admit(self, connection: EdgeProtocol, address: str) -> None:
        """Take a new connection in, and close another one for it where there are too many."""
        now = SYSTEM.monotonic()
        self.connections.add(connection, address, now)
        surplus = self.connections.surplus(connection, now)
        if surplus is not None:
            self._make_room(surplus)
        elif self.connections.crowded:
            self.refused.failed("connections refused", f"{len(self.connections)} open, each with a request in flight")
            connection.abort()
        if not self._sweeping:
            self._sweeping = True
            connection.loop.call_later(_SWEEP, self._sweep, connection.loop)

    def refusal(self, connection: EdgeProtocol, url: bytes) -> Refusal | None:
        """Why a request for `url` is not served now; None when it is."""
        if url.partition(b"?")[0] in self._probe_paths:
            return None
        if len(connection.tasks) >= self.limits.requests:
            self.refused.failed("requests refused", f"{len(connection.tasks)} in flight")
            return OVERLOADED
        if self.connections.is_refused(connection):
            self.refused.failed("requests refused", "too many connections, of all or of one address")
            return TOO_MANY
        return None

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        # A callback of the loop and not a task: it lives on while the worker drains, and needs nobody to end it.
        now = SYSTEM.monotonic()
        try:
            for connection in self.connections.late_heads(now):
                self._guarded(connection, connection.head_is_late)
            while (surplus := self.connections.longest_waiting(now)) is not None:
                self._make_room(surplus)
            for connection in self.connections:
                self._guarded(connection, partial(connection.check, now))
        finally:
            self._sweeping = bool(len(self.connections))
            if self._sweeping:
                loop.call_later(_SWEEP, self._sweep, loop)

    def _make_room(self, connection: EdgeProtocol) -> None:
        self.refused.failed("connections closed to make room", f"{len(self.connections)} open")
        connection.make_room()

    def _guarded(self, connection: EdgeProtocol, look: Callable[[], None]) -> None:
        try:
            look()
        except Exception:
            _logger.exception("looking after a connection failed; it is cut, the others are looked after")
            connection.abort()


class EdgeProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, edge: Edge, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._edge = edge
        self._head_bytes = 0  # of what the parser has handed out of the present head, and of trailers
        self._silent_bytes = 0  # fed to the parser since it last handed out anything: one endless line
        self._progress = False
        self._head_begun = False
        self._body_due = False
        self._body_waited = 0.0
        self._body_bytes = 0
        self._checked_at = 0.0
        self._unsent = 0
        self._stuck_since = 0.0
        self._answered_at: float | None = None
        self._dropping = False
        self._dropped_bytes = 0
        self._cut_at = math.inf
        self._early: EarlyAnswer | None = None
        self._early_in_read = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it."""
        super().connection_made(transport)
        self._edge.admit(self, self.client[0] if self.client else "")

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        self._edge.connections.remove(self)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """The connection goes over to uvicorn's WebSocket protocol, and is not one of ours any more."""
        self._edge.connections.remove(self)
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Feed the parser in pieces, so that what is too long is seen while it is still short."""
        if self._edge.connections.is_idle(self):
            self._edge.connections.wait_for_head(self, SYSTEM.monotonic())
        self._early_in_read = False
        for start in range(0, len(data), _PIECE):
            if self._dropping:
                self._drop(len(data) - start)
                return
            if self.transport.is_closing() or self.transport.get_protocol() is not self:  # cut, or upgraded
                return
            piece = data[start : start + _PIECE]
            self._progress = False
            super().data_received(piece)
            self._silent_bytes = 0 if self._progress else self._silent_bytes + len(piece)
            if max(self._head_bytes, self._silent_bytes) > self._edge.limits.head_bytes:
                self._edge.refused.failed("requests refused", f"head above {self._edge.limits.head_bytes} bytes")
                self.refuse(HEAD_TOO_LARGE)

    # What the parser hands out

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._progress = self._head_begun = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A part of the request's address."""
        self._progress = True
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header, or trailer."""
        self._progress = True
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes <= self._edge.limits.head_bytes:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: serve the request, or refuse it."""
        self._head_begun = False
        too_long = self._head_bytes > self._edge.limits.head_bytes
        refusal = HEAD_TOO_LARGE if too_long else self._edge.refusal(self, self.url)
        if refusal is not None:
            self.refuse(refusal)
            return
        if self._early_in_read:  # one for each read: who sends many at once waits for each
            self._unset_keepalive_if_required()
        elif (answer := self._edge.early.ask(self, self.head)) is not None:
            self._early = answer
            return
        self._body_due = True
        self._body_waited, self._body_bytes, self._answered_at = 0.0, 0, None
        self._edge.connections.serve(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._progress = True
        self._body_bytes += len(body)
        if not self._dropping:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has arrived."""
        self._progress = True
        self._body_due = False
        if self._dropping:
            return
        if self._early is not None:
            answer, self._early, self._early_in_read = self._early, None, True
            if self._edge.early.answer(self, answer):
                self._wait_idle(SYSTEM.monotonic())
            return
        super().on_message_complete()
        if self._answered_at is not None:  # it was answered before its end
            self._answered_at = None
            self._wait_idle(SYSTEM.monotonic())

    def on_response_complete(self) -> None:
        """The request is answered; wait for the next one."""
        next_runs = bool(self.pipeline)
        super().on_response_complete()
        if next_runs or self.transport.is_closing():
            return
        now = SYSTEM.monotonic()
        if self._body_due:
            self._answered_at = now
        elif self._head_begun:
            self._edge.connections.wait_for_head(self, now)
        else:
            self._edge.connections.wait_idle(self, now)

    def head(self) -> dict[str, Any]:
        """The scope of the request whose head has come, as far as that tells; without what a proxy says of it."""
        path = httptools.parse_url(self.url).path.decode("ascii")
        path = self.root_path + (unquote(path) if "%" in path else path)
        return {**self.scope, "method": self.parser.get_method().decode("ascii"), "path": path}

    def _wait_idle(self, now: float) -> None:
        """Its request has been answered and is over; `data_received` has ended the keep-alive timer."""
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        self._edge.connections.wait_idle(self, now)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn passes its own wording
        """In our form, in place of uvicorn's."""
        self.refuse(BAD_REQUEST)

    # What ends it

    def head_is_late(self) -> None:
        """Nothing, or not all of a request came in time."""
        self._edge.connections.serve(self)  # it waits for nothing any more
        if not self._head_begun:
            self.transport.close()  # a browser's spare connection: there is nothing to answer
            return
        self._edge.refused.failed("requests refused", f"head not whole after {self._edge.limits.head_timeout:g} s")
        self.refuse(TOO_SLOW)

    def make_room(self) -> None:
        """Another one needs the place."""
        self._edge.connections.remove(self)  # first, so that whoever asks for the longest waiting gets the next
        if self._head_begun:
            self.refuse(TOO_MANY)
        if self.transport.get_write_buffer_size() and not self._head_begun:
            self.transport.abort()  # its client has not taken the last answer: closing would wait for that
        else:
            self.transport.close()

    def check(self, now: float) -> None:
        """Look for a body that comes too slowly and for a client that takes no answer."""
        passed, self._checked_at = now - (self._checked_at or now), now
        if now >= self._cut_at or now - (self._answered_at or now) >= _MOST_UNREAD:
            self.abort()
            return
        self._check_sending(now)
        if self._body_due and not self._dropping and self._is_awaited():
            self._body_waited += passed
            limits = self._edge.limits
            if self._body_waited > limits.body_timeout + self._body_bytes / limits.body_rate:
                self._edge.refused.failed("requests refused", f"body slower than {limits.body_rate} bytes a second")
                self.refuse(TOO_SLOW)

    def refuse(self, refusal: Refusal) -> None:
        """Answer, tell the application that its client is gone, and close once the client had time to read.

        Requests before the refused one on this connection are answered first; then it closes without a word.
        """
        self._dropping = True
        self._edge.connections.serve(self)
        self._unset_keepalive_if_required()
        if self.cycle is not None and not self.cycle.response_complete:
            if not self._body_due:
                self.cycle.keep_alive = False
                self.flow.pause_reading()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.pipeline or self.cycle.response_started:
                self.abort()  # a second answer within the first would be taken for a part of it
                return
        self._cut_at = SYSTEM.monotonic() + _LINGER
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self.transport.write(refusal.response(self._edge.words, self.headers or (), self.server_state.default_headers))
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def abort(self) -> None:
        """Cut the connection; `connection_lost` follows."""
        self._edge.connections.remove(self)
        self.transport.abort()

    def _is_awaited(self) -> bool:
        # While the application does not read, the client can't send: reading is paused, or it waits for "100 Continue".
        answered = self.cycle.response_complete
        return answered or not (self.flow.read_paused or self.cycle.waiting_for_100_continue)

    def _drop(self, size: int) -> None:
        self._dropped_bytes += size
        if self._dropped_bytes > _MOST_DROPPED:
            self.abort()

    def _check_sending(self, now: float) -> None:
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._stuck_since = unsent, now
        elif now - self._stuck_since >= self._edge.limits.send_timeout:
            self._edge.refused.failed(
                "connections cut", f"client took nothing for {self._edge.limits.send_timeout:g} s"
            )
            self.abort()
