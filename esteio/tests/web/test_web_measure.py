"""Every request is counted once, under its template and how it really ended."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from esteio.health import Measurements
from esteio.health.series import CANCELLED, HTTP, WEBSOCKET, WEBSOCKET_HANDSHAKE
from esteio.web import Measure

Counts = dict[tuple[str, str, str], int]


def counts(measurements: Measurements) -> Counts:
    series = measurements.read().series
    return {(k.method, k.route, k.outcome): latency.count for k, latency in series.items() if k.kind == HTTP}


async def well(request: Request) -> Response:
    return PlainTextResponse("well")


async def ill(request: Request) -> Response:
    raise RuntimeError("ill")


async def gone(request: Request) -> Response:
    raise ClientDisconnect


async def other(request: Request) -> Response:
    return await well(request)


entered = asyncio.Event()


async def slow(request: Request) -> Response:
    entered.set()
    await asyncio.Event().wait()
    raise AssertionError


async def breaks_off(request: Request) -> Response:
    async def chunks() -> Any:
        yield b"half"
        raise RuntimeError("the other half is missing")

    return StreamingResponse(chunks())


def mounted() -> list[Any]:
    inner = Starlette(routes=[Route("/{name}", well), Mount("/deep", routes=[Route("/{x:int}/end", well)])])
    return [
        Route("/", well),
        Route("/items/{id}", well, methods=["GET", "POST"]),
        Route("/ill", ill),
        Route("/gone", gone),
        Route("/slow", slow),
        Route("/half", breaks_off),
        Mount("/tenants/{tenant}", app=inner),
        Mount("/static", app=StaticFiles(directory=".")),
    ]


async def ask(app: Any, *requests: tuple[str, str]) -> None:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
        for method, path in requests:
            await client.request(method, path)


@pytest.mark.parametrize("outside", [True, False], ids=["around the application", "in its middleware"])
async def test_each_request_is_counted_under_its_template_and_class(outside: bool) -> None:
    measurements = Measurements()
    if outside:
        app: Any = Measure(Starlette(routes=mounted()), measurements)
    else:
        app = Starlette(routes=mounted(), middleware=[Middleware(Measure, measurements=measurements)])
    requests = [("GET", "/"), ("GET", "/items/1"), ("GET", "/items/2"), ("POST", "/items/3"), ("DELETE", "/items/3")]
    requests += [("GET", "/nowhere/1"), ("GET", "/nowhere/2"), ("INVENTED", "/"), ("GET", "/ill"), ("GET", "/gone")]
    requests += [
        ("GET", "/tenants/a/b"),
        ("GET", "/tenants/b/deep/7/end"),
        ("GET", "/static/nothing"),
        ("GET", "/half"),
    ]
    await ask(app, *requests)
    assert counts(measurements) == {
        ("GET", "/", "2xx"): 1,
        ("GET", "/items/{id}", "2xx"): 2,
        ("POST", "/items/{id}", "2xx"): 1,
        ("DELETE", "/items/{id}", "4xx"): 1,
        ("GET", "(none)", "4xx"): 2,
        ("other", "/", "4xx"): 1,
        ("GET", "/ill", "5xx"): 1,
        ("GET", "/gone", CANCELLED): 1,
        ("GET", "/tenants/{tenant}/{name}", "2xx"): 1,
        ("GET", "/tenants/{tenant}/deep/{x:int}/end", "2xx"): 1,
        ("GET", "/static/*", "4xx"): 1,
        ("GET", "/half", "5xx"): 1,
    }
    assert measurements.read().active == 0


async def test_routes_of_included_routers_have_their_whole_template() -> None:
    measurements, app, router, inner = Measurements(), FastAPI(), APIRouter(), FastAPI()
    router.add_api_route("/things/{id_}", well_fastapi)
    inner.include_router(router, prefix="/v1")
    app.include_router(router, prefix="/api")
    app.mount("/sub", inner)
    app.mount("/static", StaticFiles(directory="."))
    app.router.routes.append(Route("/plain/{x}", well))  # FastAPI doesn't name these
    inner.router.routes.append(Route("/other/{x}", other))
    app.add_middleware(Measure, measurements=measurements)
    paths = ["/api/things/1", "/sub/v1/things/2", "/plain/1", "/sub/other/1", "/static/nothing", "/none"]
    await ask(app, *(("GET", path) for path in paths))
    assert sorted(route for _, route, _ in counts(measurements)) == [
        "(none)", "/api/things/{id_}", "/plain/{x}", "/static/*", "/sub/other/{x}", "/sub/v1/things/{id_}",
    ]  # fmt: skip


async def well_fastapi(id_: str) -> str:
    return id_


async def test_a_cancelled_request_is_an_outcome_of_its_own_and_counted_as_active_until_then() -> None:
    measurements = Measurements()
    app = Measure(Starlette(routes=mounted()), measurements)
    asking = asyncio.create_task(ask(app, ("GET", "/slow")))
    await asyncio.wait_for(entered.wait(), 30)
    assert measurements.read().active == 1
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert counts(measurements) == {("GET", "/slow", CANCELLED): 1}
    assert measurements.read().active == 0


async def test_what_an_application_does_after_its_answer_is_not_the_requests_time() -> None:
    release = asyncio.Event()

    async def answer(request: Request) -> Response:
        return PlainTextResponse("x", background=BackgroundTask(asyncio.wait_for, release.wait(), 1.0))

    measurements = Measurements()
    app = Measure(Starlette(routes=[Route("/", answer)]), measurements)
    await ask(app, ("GET", "/"))
    assert measurements.read().total().seconds < 1.0


async def test_routes_and_methods_made_up_by_clients_do_not_grow_what_is_remembered() -> None:
    app = Measure(Starlette(routes=mounted()), Measurements())
    await ask(app, *((f"M{n}", f"/{n}") for n in range(50)), *(("GET", f"/items/{n}") for n in range(50)))
    assert len(app._series) == 2


async def test_the_process_measures_itself_from_the_start_of_the_application_on() -> None:
    measurements = Measurements()
    app = Starlette(middleware=[Middleware(Measure, measurements=measurements)])
    await ask(app, ("GET", "/"))
    (worker,) = measurements.read().workers
    assert worker.memory > 1_000_000
    assert worker.updated >= worker.started


async def test_a_stream_is_measured_to_its_end() -> None:
    sent, release = asyncio.Event(), asyncio.Event()

    async def stream(request: Request) -> Response:
        async def chunks() -> Any:
            yield b"first"
            sent.set()
            await release.wait()
            yield b"last"

        return StreamingResponse(chunks())

    measurements = Measurements()
    app = Measure(Starlette(routes=[Route("/", stream)]), measurements)
    asking = asyncio.create_task(ask(app, ("GET", "/")))
    await asyncio.wait_for(sent.wait(), 30)
    assert measurements.read().active == 1
    assert counts(measurements) == {}
    release.set()
    await asking
    assert counts(measurements) == {("GET", "/", "2xx"): 1}
    assert measurements.read().active == 0


class Client:
    """One WebSocket, spoken by hand: `says` are the messages the application receives."""

    def __init__(self, app: Any, path: str, *says: dict[str, Any]) -> None:
        self.app, self.path, self.heard = app, path, []
        self._says = asyncio.Queue[dict[str, Any]]()
        for each in ({"type": "websocket.connect"}, *says):
            self._says.put_nowait(each)

    async def __call__(self) -> None:
        scope = {
            "type": "websocket", "asgi": {"version": "3.0"}, "scheme": "ws", "path": self.path, "query_string": b"",
            "root_path": "", "headers": [], "subprotocols": [], "extensions": {},
        }  # fmt: skip
        await self.app(scope, self._says.get, self._send)

    async def _send(self, message: dict[str, Any]) -> None:
        self.heard.append(message)


def sockets(measurements: Measurements) -> Counts:
    series = measurements.read().series
    kinds = (WEBSOCKET, WEBSOCKET_HANDSHAKE)
    return {(k.kind, k.route, k.outcome): latency.count for k, latency in series.items() if k.kind in kinds}


async def test_websockets_are_counted_when_opened_and_with_the_code_they_close_with() -> None:
    waiting = asyncio.Event()

    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        waiting.set()
        async for text in socket.iter_text():
            if text == "close":
                await socket.close(4001)
                return
            if text == "break":
                raise RuntimeError("it broke")

    async def refuse(socket: WebSocket) -> None:
        await socket.close(1008)

    measurements = Measurements()
    app = Measure(
        Starlette(
            routes=[Mount("/rooms/{room}", routes=[WebSocketRoute("/{id}", echo)]), WebSocketRoute("/no", refuse)]
        ),
        measurements,
    )
    leaves = Client(app, "/rooms/a/1", {"type": "websocket.disconnect", "code": 1001})
    closes = Client(app, "/rooms/a/2", {"type": "websocket.receive", "text": "close"})
    breaks = Client(app, "/rooms/b/3", {"type": "websocket.receive", "text": "break"})
    await leaves()
    await closes()
    with pytest.raises(RuntimeError, match="it broke"):
        await breaks()
    await Client(app, "/no")()
    waiting.clear()
    stays = asyncio.create_task(Client(app, "/rooms/c/4")())
    await asyncio.wait_for(waiting.wait(), 30)
    assert measurements.read().workers[0].websockets == 1
    stays.cancel()
    await asyncio.gather(stays, return_exceptions=True)
    assert sockets(measurements) == {
        (WEBSOCKET_HANDSHAKE, "/rooms/{room}/{id}", "accepted"): 4,
        (WEBSOCKET_HANDSHAKE, "/no", "refused"): 1,
        (WEBSOCKET, "/rooms/{room}/{id}", "1001"): 1,
        (WEBSOCKET, "/rooms/{room}/{id}", "4xxx"): 1,
        (WEBSOCKET, "/rooms/{room}/{id}", "1011"): 1,
        (WEBSOCKET, "/rooms/{room}/{id}", CANCELLED): 1,
    }
    assert measurements.read().workers[0].websockets == 0
    assert counts(measurements) == {}, "they are no requests"
