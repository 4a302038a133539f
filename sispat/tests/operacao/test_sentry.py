"""SENTRY_DSN receives errors with the id of their request, and nothing that people typed."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from esteio.events import emit
from esteio.policy import CircuitChanged, RetriesGaveUp
from esteio.postgres import SlowQuery
from sispat.cli._notices import addresses
from sispat.http.edge import Edge
from sispat.operacao.error_reports import report_errors
from sispat.settings import Settings


@pytest.fixture
def sentry() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A DSN on this machine, and the events that came there."""
    events: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            lines = body.split(b"\n")
            events.extend(
                json.loads(lines[n + 1]) for n, line in enumerate(lines) if b'"type":"event"' in line.replace(b" ", b"")
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://chave@127.0.0.1:{server.server_address[1]}/3", events
    server.shutdown()
    server.server_close()


async def test_errors_retries_circuits_and_slow_statements_arrive_and_nothing_typed_does(
    sentry: tuple[str, list[dict[str, Any]]],
) -> None:
    dsn, events = sentry
    settings = Settings(sentry_dsn=dsn)  # type: ignore[arg-type]
    assert addresses(settings) == [f"sentry+{dsn}"]
    end = report_errors(settings)

    async def broken(_scope: Any, receive: Any, _send: Any) -> None:
        senha = (await receive())["body"].decode()
        raise LookupError(f"nada em {len(senha)} letras")

    async def show(_request: Any, _problem: Any) -> Any:
        async def answer(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        return answer

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"senha=coisa-digitada"}

    async def send(_message: Any) -> None: ...

    scope = {
        "type": "http", "method": "POST", "scheme": "http", "path": "/x", "query_string": b"cpf=52998224725",
        "headers": [(b"host", b"a.example"), (b"cookie", b"sessao=coisa-secreta")], "state": {"request_id": "abc123"},
    }  # fmt: skip
    await Edge(broken, show)(scope, receive, send)
    emit(RetriesGaveUp("cep", 3, 4.2, "attempts", ConnectionError("no")))
    emit(CircuitChanged("cep", "closed", "open", "5 of 5 failed", 30.0))
    emit(SlowQuery("main", 3.5, "f00", "select $1", "int", "patrimonios/sql.py:9", "/patrimonios", None))
    end()
    logging.getLogger("sispat").error("after its end")
    [error] = [each for each in events if each.get("logger") == "sispat.http"]
    assert error["tags"]["request_id"] == "abc123"
    assert error["exception"]["values"][-1]["type"] == "LookupError"
    assert len(events) == 4
    assert [each["fingerprint"] for each in events if each.get("fingerprint")] == [
        ["esteio", "retries", "cep"], ["esteio", "circuit", "cep"], ["sispat", "slow", "f00"],
    ]  # fmt: skip
    whole = json.dumps(events)
    assert not [text for text in ("coisa-digitada", "coisa-secreta", "52998224725") if text in whole]


def test_without_a_dsn_nothing_is_reported() -> None:
    report_errors(Settings())()
    assert addresses(Settings()) == []
