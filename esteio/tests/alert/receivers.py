"""Real receivers on this machine: of HTTP, which answers as it is told to, and of mail."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class HttpReceiver:
    """Keeps what it was sent; `status` and `wait` (seconds) are how it answers."""

    port: int
    status: int = 200
    wait: float = 0.0
    asked: int = 0
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ganchos/segredo-do-gancho"

    @property
    def notices(self) -> list[dict[str, Any]]:
        """The notices that were taken, in order."""
        return [json.loads(body) for _, _, body in self.requests]

    @property
    def subjects(self) -> list[str]:
        return [notice["title"] for notice in self.notices]


class _Handler(BaseHTTPRequestHandler):
    receiver: HttpReceiver

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status = self.receiver.status
        self.receiver.asked += 1
        time.sleep(self.receiver.wait)
        if status < 300:
            self.receiver.requests.append((self.command, self.path, body))
        self.send_response(status)
        self.end_headers()

    do_GET = do_POST = _any  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked has gone: that is what some tests are about."""


def _bound(port: int, handler: type[_Handler]) -> _Server:
    """On `port`; waits where somebody's connection goes out from the very same one."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return _Server(("127.0.0.1", port), handler)
        except OSError:
            if not port or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextmanager
def http_receiver(port: int = 0) -> Iterator[HttpReceiver]:
    handler = type("Handler", (_Handler,), {})
    with _bound(port, handler) as server:
        handler.receiver = HttpReceiver(server.server_address[1])
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield handler.receiver
        server.shutdown()


@dataclass
class MailReceiver:
    """`refuse`: it knows no mailbox; `unknown` is one that it does not know. `told` is called before it takes a mail."""

    port: int
    refuse: bool = False
    unknown: str = ""
    told: Callable[[str], object] | None = None
    mails: list[str] = field(default_factory=list)


class _Smtp(socketserver.StreamRequestHandler):
    receiver: MailReceiver

    def handle(self) -> None:
        self._say("220 correio.prefeitura ESMTP")
        while line := self.rfile.readline().decode().strip():
            word = line[:4].upper()
            if word == "EHLO":
                self._say("250-correio.prefeitura\r\n250 8BITMIME")
            elif word == "RCPT" and (self.receiver.refuse or f"<{self.receiver.unknown}>" in line):
                self._say("550 5.1.1 no such mailbox")
            elif word == "DATA":
                self._say("354 go on")
                lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                mail = "".join(lines)
                if self.receiver.told is not None:
                    self.receiver.told(mail)
                self.receiver.mails.append(mail)
                self._say("250 taken")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _MailServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


@contextmanager
def mail_receiver(port: int = 0) -> Iterator[MailReceiver]:
    handler = type("Handler", (_Smtp,), {})
    with _MailServer(("127.0.0.1", port), handler) as server:
        handler.receiver = MailReceiver(server.server_address[1])
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield handler.receiver
        server.shutdown()
