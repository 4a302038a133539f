"""What a closed service answers, over a bare ASGI application."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from esteio.health import Monitor
from esteio.maintenance import Maintenance, Notice
from esteio.web import MaintenancePage, health_routes


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


@pytest.fixture
def switch(tmp_path: Path) -> Maintenance:
    return Maintenance(tmp_path / "closed", every=0.0)


def client(switch: Maintenance, *, ready: Maintenance | None = None, **options: object) -> httpx2.AsyncClient:
    app = Starlette(
        routes=[Route("/echo", echo, methods=["GET", "POST"]), *health_routes(Monitor(), maintenance=ready)],
        middleware=[Middleware(MaintenancePage, switch=switch, **options)],
    )
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://x")


async def test_people_get_a_page_and_only_a_get_asks_again_by_itself(switch: Maintenance) -> None:
    async with client(switch) as c:
        assert (await c.post("/echo", content=b"typed")).text == "typed"
        switch.turn_on("New disk <b>", datetime.now(UTC) + timedelta(seconds=30))
        got, posted, head = await c.get("/echo"), await c.post("/echo", content=b"typed"), await c.head("/echo")
        switch.turn_off()
        assert (await c.post("/echo", content=b"typed")).text == "typed"
    for answer in (got, posted, head):
        assert answer.status_code == 503
        assert answer.headers["cache-control"] == "no-store"
        assert 25 <= int(answer.headers["retry-after"]) <= 30
    assert "New disk &lt;b&gt;" in got.text
    assert 'http-equiv="refresh"' in got.text
    assert 'http-equiv="refresh"' not in posted.text
    assert head.content == b""


async def test_programs_get_a_problem(switch: Maintenance) -> None:
    switch.turn_on("New disk")
    async with client(switch) as c:
        answer = await c.get("/echo", headers={"Accept": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["status"], answer.json()["until"]) == (503, None)
    assert "New disk" in answer.json()["detail"]


async def test_probes_are_answered_and_ready_says_no_only_where_it_was_given_the_switch(switch: Maintenance) -> None:
    switch.turn_on()
    async with client(switch) as c:
        assert [(await c.get(path)).status_code for path in ("/health/live", "/health/ready", "/health")] == [200] * 3
    async with client(switch, ready=switch) as c:
        ready = await c.get("/health/ready")
        assert (ready.status_code, ready.text, ready.headers["retry-after"]) == (503, "maintenance\n", "10")
        assert (await c.get("/health/live")).status_code == 200
        switch.turn_off()
        assert (await c.get("/health/ready")).status_code == 200


async def test_an_application_may_say_it_in_its_own_words(switch: Maintenance) -> None:
    switch.turn_on("Férias")

    def respond(_: object, notice: Notice) -> Response:
        return PlainTextResponse(f"Fechado: {notice.reason}", 503)

    async with client(switch, respond=respond, exempt=()) as c:
        assert (await c.get("/health/live")).text == "Fechado: Férias"


async def test_a_websocket_is_refused_while_it_is_closed(tmp_path: Path) -> None:
    switch, sent = Maintenance(tmp_path / "closed"), []

    async def never(scope: object, receive: object, send: object) -> None:
        raise AssertionError("it ran")

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    switch.turn_on("new disk")
    await MaintenancePage(never, switch)({"type": "websocket", "path": "/live", "headers": []}, receive, send)  # type: ignore[arg-type]
    assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1013)]
