"""A receiver of notices that misbehaves as it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODES = ("well", "500", "429", "hangs", "half")
_HANG = 60.0  # seconds: longer than whoever asks waits
_PORTION = 3  # of so many notices a half-accepting receiver takes one and closes the connection without an answer


@dataclass
class Receiver:
    """`mode`: one of MODES. `taken` are the notices with the moment; `unanswered` counts those taken without an answer."""

    mode: str = "well"
    taken: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    unanswered: int = 0
    asked: int = 0
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        receiver, body = self.receiver, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        receiver.asked += 1
        mode = receiver.mode
        if mode == "hangs":
            time.sleep(_HANG)
            return
        if mode in ("500", "429"):
            self._answer(int(mode))
            return
        receiver.taken.append((time.time(), json.loads(body)))
        if mode == "half" and receiver.asked % _PORTION == 0:
            receiver.unanswered += 1
            self.close_connection = True
            return
        self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked was killed: that is what this is about."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    """One that listens on this machine within the block."""
    found = Receiver()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"receiver": found}))
    found.url = f"http://127.0.0.1:{server.server_address[1]}/notices"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
