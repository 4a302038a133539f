"""The numbers of the service are for its administrators, and for the token while the database is away."""

from __future__ import annotations

import base64

import httpx2
import pytest
from aplicacao import abrir
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.middleware import Middleware

from esteio.postgres import Dsn
from esteio.postgres.opentelemetry import trace_statements
from esteio.web.opentelemetry import Tracing
from sispat.operacao.tracing import tracing

TOKEN = "so-para-o-prometheus"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_an_administrator_and_the_token_see_them_and_nobody_else(cidade: Dsn) -> None:
    async with abrir(cidade, "admin@demo.local", operations_token=TOKEN) as c:
        await c.head("/patrimonios")
        await c.get("/api/health/live")
        seen = await c.get("/metrics")
        assert seen.status_code == 200
        assert 'method="HEAD",route="/patrimonios",outcome="2xx"' in seen.text, seen.text[:3000]
        assert "/api/health/live" in seen.text
        assert "esteio_postgres_acquired_total" in seen.text
        assert "esteio_limit_decisions_total" in seen.text
        c.headers.clear()
        for wrong in (
            {},
            _bearer("outra-coisa-qualquer"),
            {"Authorization": "Basic eA=="},
            {"Authorization": "Basic ç"},
        ):
            assert (await c.get("/metrics", headers={k: v.encode() for k, v in wrong.items()})).status_code == 401
        basic = base64.b64encode(f"qualquer:{TOKEN}".encode()).decode()
        for right in (_bearer(TOKEN), {"Authorization": f"Basic {basic}"}):
            assert (await c.get("/metrics", headers=right)).status_code == 200
        assert (await c.get("/api/patrimonios", headers=_bearer(TOKEN))).status_code == 401, "it opens nothing else"
    async with abrir(cidade, "gestor@demo.local") as c:
        assert (await c.get("/metrics")).status_code == 403


async def test_the_token_works_while_the_database_is_away() -> None:
    nobody = Dsn.parse("postgresql://x@127.0.0.1:9/x?pool_timeout=1")
    async with abrir(nobody, operations_token=TOKEN) as c:
        answer: httpx2.Response = await c.get("/metrics", headers=_bearer(TOKEN))
    assert answer.status_code == 200
    assert 'esteio_postgres_up{database="sispat"}' in answer.text


async def test_a_request_is_traced_where_the_variables_ask_for_it_and_its_name_is_in_the_answer(
    cidade: Dsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert tracing() == [], "nobody asks for it"
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("sispat.app.tracing", lambda: [Middleware(Tracing, tracer_provider=provider)])
    end = trace_statements(provider)
    try:
        async with abrir(cidade, "gestor@demo.local") as c:
            answer = await c.get("/api/patrimonios", params={"limit": 1})
    finally:
        end()
    spans = exporter.get_finished_spans()
    (asked,) = (span for span in spans if span.name == "GET /api/patrimonios")
    assert (asked.attributes or {})["esteio.request_id"] == answer.headers["x-request-id"]
    below = [span for span in spans if span.parent is not None and span.parent.span_id == asked.context.span_id]
    assert below, "its statements"
    provider.shutdown()
