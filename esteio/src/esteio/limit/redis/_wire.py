"""One connection: commands go out at once, answers come back in the same order.

Promises: every receiver is called exactly once - with the answer, or with the error that ended the connection. An
answer nobody asked for ends it, since then no answer can be trusted. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis

from esteio.limit.redis._errors import Trouble
from esteio.limit.redis._script import packed

__all__ = ["Receiver", "Wire"]

Receiver = Callable[[Any], None]
"""Takes an answer, or an exception: an error answer (`hiredis.ReplyError`) or why the connection ended."""

_logger = logging.getLogger("esteio.limit")
_INCOMPLETE = object()
_MOST = 8 << 20  # bytes of one answer; ours have a few kilobytes


class Wire(asyncio.Protocol):
    """An open connection to one server."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(notEnoughData=_INCOMPLETE)
        self._receivers: deque[Receiver] = deque()
        self._transport: asyncio.Transport | None = None
        self.on_lost: Callable[[Exception], None] | None = None
        self.error: Exception | None = None

    def send(self, payload: bytes, receive: Receiver) -> None:
        """Send a packed command; `receive` hears of the answer."""
        if self.error is not None or self._transport is None:
            receive(self.error or Trouble("gone", "not connected"))
            return
        self._receivers.append(receive)
        self._transport.write(payload)

    def ask(self, *arguments: Any) -> asyncio.Future[Any]:
        """Send a command; the future fails when the answer is an error."""
        return self.ask_packed(packed(*arguments))

    def ask_packed(self, payload: bytes) -> asyncio.Future[Any]:
        """The same for a packed command."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def receive(answer: Any) -> None:
            if future.done():
                return
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        self.send(payload, receive)
        return future

    def abort(self) -> None:
        """End the connection at once."""
        self._end(Trouble("gone", "closed on this side"))

    # -- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by descent

    def data_received(self, data: bytes) -> None:
        """Hand out the answers that are complete."""
        reader, receivers = self._reader, self._receivers
        try:
            reader.feed(data)
            answer = reader.gets(False)
            while answer is not _INCOMPLETE:
                if not receivers:
                    self._end(Trouble("corrupt", f"an answer nobody asked for: {answer!r:.80}"))
                    return
                self._hand_out(receivers.popleft(), answer)
                if self.error is not None:  # a receiver ended the connection: the others have heard that instead
                    return
                answer = reader.gets(False)
            if reader.len() > _MOST:
                self._end(Trouble("corrupt", f"an answer of more than {_MOST} bytes"))
        except hiredis.ProtocolError as error:
            self._end(Trouble("corrupt", str(error)))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        self._end(Trouble("gone", str(exc) if exc else "the connection was closed on the other side"))

    def _hand_out(self, receive: Receiver, answer: Any) -> None:
        """If a receiver raises, the others and `on_lost` are still called; what comes next can't be trusted."""
        try:
            receive(answer)
        except Exception as error:
            _logger.exception("an answer of Redis could not be handled: %.80r", answer)
            self._end(Trouble("corrupt", repr(error)))

    def _end(self, error: Exception) -> None:
        if self.error is not None:
            return
        self.error = error
        if self._transport is not None:
            self._transport.abort()
        while self._receivers:
            self._hand_out(self._receivers.popleft(), error)
        if self.on_lost is not None:
            self.on_lost(error)
