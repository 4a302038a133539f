"""A request is one trace: its span, its statements, its attempts; and its name is in the logs and the metrics."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from psycopg.errors import DivisionByZero
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from esteio import CircuitBreaker, Pipeline, Retry
from esteio.correlation import AddIds
from esteio.health import Measurements, Sampler
from esteio.policy.hooks.opentelemetry import trace_policies
from esteio.postgres import Database
from esteio.postgres.opentelemetry import trace_statements
from esteio.testing import flaky
from esteio.web import Measure, RequestId
from esteio.web.metrics import exposition
from esteio.web.opentelemetry import Tracing, is_configured, start_tracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


class Traced:
    """What the SDK was given."""

    def __init__(self) -> None:
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.provider, self.meters = TracerProvider(), MeterProvider([self.reader])
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def points(self, name: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        assert data is not None
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def traced() -> Iterator[Traced]:
    made = Traced()
    ends = [trace_policies(made.provider, made.meters), trace_statements(made.provider, made.meters)]
    yield made
    for end in ends:
        end()
    made.provider.shutdown()
    made.meters.shutdown()


async def ask(app: Any, path: str, **headers: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
        return await client.get(path, headers=headers)


async def test_a_request_is_one_trace_with_its_statements_and_attempts(
    traced: Traced, postgres_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.addFilter(AddIds())
    call = Pipeline("cep", Retry(3, 0, idempotent=True), CircuitBreaker(failures=2, open_for=60), registry=None)

    async def item(request: Request) -> Response:
        await database.fetch_value("SELECT 1 + %s", (41,))
        with pytest.raises(DivisionByZero):
            await database.fetch_value("SELECT 1 / 0")
        call.call(flaky(OSError("a"), "ok"))
        logging.getLogger("city").warning("said")
        return PlainTextResponse("x")

    measurements = Measurements()
    sampler = Sampler(measurements)
    inner = Starlette(routes=[Mount("/api", routes=[Route("/items/{id}", item)])])
    app = Measure(RequestId(Tracing(inner, traced.provider, traced.meters)), measurements, sampler)
    async with Database(postgres_database, name="main") as database:
        await database.fetch_value("SELECT 2")  # asked by nobody's request
        answer = await ask(app, "/api/items/7?secret=1", **SAMPLED)
        sampler.end()
    (server,) = (span for span in traced.spans if span.kind is SpanKind.SERVER)
    about = dict(server.attributes or {})
    assert server.name == "GET /api/items/{id}"
    assert (about["http.route"], about["http.response.status_code"], about["url.path"]) == (
        "/api/items/{id}", 200, "/api/items/7",
    )  # fmt: skip
    assert "secret" not in str(about)
    assert server.parent is not None
    assert (f"{server.context.trace_id:032x}", f"{server.parent.span_id:016x}") == (TRACE, PARENT)
    below = [span for span in traced.spans if span is not server]
    assert all(span.parent is not None and span.parent.span_id == server.context.span_id for span in below)
    assert {(span.name, span.status.status_code) for span in below} >= {
        ("SELECT", StatusCode.UNSET), ("SELECT", StatusCode.ERROR), ("cep attempt 2", StatusCode.UNSET),
    }  # fmt: skip
    failed = next(span for span in below if span.name == "SELECT" and span.status.status_code is StatusCode.ERROR)
    assert (failed.attributes or {})["db.response.status_code"] == "22012"
    assert (failed.attributes or {})["db.query.text"] == "SELECT ? / ?"
    assert [event.name for event in server.events][:2] == ["AttemptFailed", "Recovered"]
    name = answer.headers["x-request-id"]
    assert about["esteio.request_id"] == name
    (record,) = (each for each in caplog.records if each.name == "city")
    assert (record.request_id, record.trace_id) == (name, TRACE)  # type: ignore[attr-defined]
    page = exposition(measurements, "application/openmetrics-text")[0].decode()
    exemplars = [s.exemplar for family in openmetrics(page) for s in family.samples if s.exemplar]
    assert {each.labels["trace_id"] for each in exemplars} == {TRACE}
    (times,) = traced.points("http.server.request.duration")
    assert (times.count, times.attributes["http.route"]) == (1, "/api/items/{id}")
    assert sum(point.value for point in traced.points("http.server.active_requests")) == 0
    assert sum(point.count for point in traced.points("db.client.operation.duration")) >= 3


async def test_errors_are_errors_and_what_was_cancelled_is_none(traced: Traced) -> None:
    entered = asyncio.Event()

    async def ill(request: Request) -> Response:
        raise RuntimeError("ill")

    async def gone(request: Request) -> Response:
        raise ClientDisconnect

    async def slow(request: Request) -> Response:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    app = Tracing(Starlette(routes=[Route("/ill", ill), Route("/gone", gone), Route("/slow", slow)]), traced.provider)
    for path in ("/ill", "/gone", "/nowhere"):
        await ask(app, path)
    asking = asyncio.create_task(ask(app, "/slow"))
    await asyncio.wait_for(entered.wait(), 30)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert [
        (span.name, span.status.status_code, dict(span.attributes or {}).get("error.type")) for span in traced.spans
    ] == [
        ("GET /ill", StatusCode.ERROR, "RuntimeError"),
        ("GET /gone", StatusCode.UNSET, "ClientDisconnect"),
        ("GET", StatusCode.UNSET, None),
        ("GET /slow", StatusCode.UNSET, "CancelledError"),
    ]


async def test_without_a_configured_sdk_nothing_is_traced_and_nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    async def well(request: Request) -> Response:
        seen.update(request.scope["state"])
        return PlainTextResponse("x")

    assert not is_configured()
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert start_tracing("x") is None
    assert (await ask(RequestId(Tracing(Starlette(routes=[Route("/", well)]))), "/", **SAMPLED)).status_code == 200
    assert seen.keys() == {"request_id", "client_request_id"}


async def test_what_is_not_sampled_is_passed_on_and_not_named(traced: Traced) -> None:
    app = Tracing(Starlette(routes=[Route("/", lambda _: PlainTextResponse("x"))]), traced.provider)
    await ask(app, "/", traceparent=f"00-{TRACE}-{PARENT}-00")
    await ask(app, "/", traceparent="nonsense")
    (span,) = traced.spans
    assert f"{span.context.trace_id:032x}" != TRACE, "of the nonsense, whose trace begins here"


_SERVED = """
import asyncio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from esteio.web.opentelemetry import Tracing, is_configured, start_tracing

end = start_tracing("orders")
app = Tracing(Starlette(routes=[Route("/sold/{id}", lambda _: PlainTextResponse("x"))]))
scope = {"type": "http", "method": "GET", "path": "/sold/7", "headers": [], "query_string": b"", "root_path": ""}

async def nothing(*_):
    return {"type": "http.request"}

assert is_configured() and end is not None
asyncio.run(app(scope, nothing, nothing))
end()
"""


def test_what_the_variables_ask_for_is_sent_to_the_collector() -> None:
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        asks = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        }
        done = subprocess.run(
            [sys.executable, "-c", _SERVED], env=os.environ | asks, capture_output=True, text=True, timeout=50
        )
        collector.shutdown()
    assert done.returncode == 0, done.stderr
    (sent,) = received
    assert sent[0] == "/v1/traces"
    assert b"orders" in sent[1]
    assert b"GET /sold/{id}" in sent[1]
