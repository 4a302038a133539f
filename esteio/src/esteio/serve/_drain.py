"""Ending a server's connections without losing a request.

Promises: a connection is closed only after a response that said `Connection: close`, or after it has been idle
for the grace. A response that had begun before, and so could not say it, leaves its connection idle with the
same grace. What can't be told is closed by HTTP/1.1's own rule: a client may lose a request it sends at the very
moment an idle connection closes. WebSockets are closed at once with code 1012 (service restart).
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from esteio.clock import SYSTEM

__all__ = ["Drain"]

_logger = logging.getLogger("esteio.serve")
_STEP = 0.05  # seconds
_CLOSE = (b"connection", b"close")


class Drain:
    """Works on the connections of one server, after its main loop has ended."""

    def __init__(self, config: Config, state: ServerState) -> None:
        self._config = config
        self._state = state
        self._idle_since: dict[Any, float] = {}

    async def wait(self, seconds: float) -> None:
        """Go on as before for a while."""
        end = SYSTEM.monotonic() + seconds
        while (left := end - SYSTEM.monotonic()) > 0:
            self._state.default_headers = self._headers()
            await asyncio.sleep(min(left, 1.0))

    async def run(self, grace: Callable[[], float], budget: float) -> bool:
        """Until every connection and task has ended: True; False when `budget` seconds were not enough.

        `grace` is asked each time: the order may change from "retire" to "stop" meanwhile.
        """
        end = SYSTEM.monotonic() + budget
        while (now := SYSTEM.monotonic()) < end:
            self._state.default_headers = [*self._headers(), _CLOSE]
            for connection in list(self._state.connections):
                self._attend_guarded(connection, now, grace())
            if not self._state.connections and not self._state.tasks:
                return True
            await asyncio.sleep(_STEP)
        return False

    def _headers(self) -> list[tuple[bytes, bytes]]:
        # The main loop renews the date; it has ended.
        date = [(b"date", formatdate(SYSTEM.time(), usegmt=True).encode())] if self._config.date_header else []
        return date + self._config.encoded_headers

    def _attend_guarded(self, connection: Any, now: float, grace: float) -> None:
        try:
            self._attend(connection, now, grace)
        except Exception:  # one connection in a state nobody thought of does not keep the others from their end
            _logger.exception("ending a connection failed; the others are ended")
            self._state.connections.discard(connection)

    def _attend(self, connection: Any, now: float, grace: float) -> None:
        is_websocket = not hasattr(connection, "cycle")
        cycle = None if is_websocket else _last_cycle(connection)
        if cycle is not None and not cycle.response_complete:
            self._idle_since.pop(connection, None)
            if not cycle.response_started:
                cycle.default_headers = self._state.default_headers
        elif now - self._idle_since.setdefault(connection, now) >= (0.0 if is_websocket else grace):
            self._idle_since[connection] = math.inf  # once: a second call would cut off what the first one says
            connection.shutdown()


def _last_cycle(connection: Any) -> Any:
    pipeline = getattr(connection, "pipeline", None)  # requests sent ahead; the newest lies to the left
    return pipeline[0][0] if pipeline else connection.cycle
