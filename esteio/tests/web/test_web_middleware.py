"""The edge: health routes, request ids, body limits - over a bare Starlette application."""

import asyncio
import contextlib
import time
from collections.abc import Iterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from esteio.health import Check, Monitor, checks
from esteio.postgres import Database, Dsn
from esteio.serve import lifecycle
from esteio.testing import FlakyProxy
from esteio.web import BodyLimit, BodyTooLarge, RequestId, health_routes


async def echo(request: Request) -> Response:
    body = await request.body()
    return PlainTextResponse(f"{request.scope['state']['request_id']} {len(body)}")


async def too_large(_: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 413)


def client(well: bool = True) -> httpx2.AsyncClient:
    async def probe() -> float:
        if not well:
            raise OSError
        return 1.25

    routes = [Route("/echo", echo, methods=["GET", "POST"])]
    routes += health_routes(Monitor([Check("db:responseTime", probe)]), prefix="/health", version="1", service="s")
    app = Starlette(
        routes=routes,
        middleware=[Middleware(RequestId), Middleware(BodyLimit, limit=100)],
        exception_handlers={BodyTooLarge: too_large},
    )
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://x")


@pytest.fixture(autouse=True)
def _own_life() -> Iterator[None]:
    before = lifecycle.ready, lifecycle.draining
    yield
    lifecycle.ready, lifecycle.draining = before


async def test_live_answers_whatever_else_is_down() -> None:
    lifecycle.ready, lifecycle.draining = False, True
    async with client(well=False) as c:
        r = await c.get("/health/live")
    assert (r.status_code, r.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize(
    ("ready", "draining", "status", "says"),
    [(True, False, 200, "ready"), (False, False, 503, "starting"), (True, True, 503, "draining")],
)
async def test_ready_follows_the_process_and_not_its_dependencies(ready, draining, status, says) -> None:
    lifecycle.ready, lifecycle.draining = ready, draining
    async with client(well=False) as c:
        r = await c.get("/health/ready")
    assert (r.status_code, r.text.strip()) == (status, says)
    assert ("retry-after" in r.headers) == (status == 503)


@pytest.mark.parametrize(("well", "status", "word"), [(True, 200, "pass"), (False, 503, "fail")])
async def test_health_tells_each_check(well: bool, status: int, word: str) -> None:
    async with client(well) as c:
        r = await c.get("/health")
    assert (r.status_code, r.headers["content-type"]) == (status, "application/health+json")
    assert r.json()["status"] == word
    assert r.json()["checks"]["db:responseTime"][0].get("observedValue") == (1.25 if well else None)


async def test_the_first_ask_says_that_a_frozen_database_fails_and_every_route_answers_while_everything_hangs(
    postgres_database: str,
) -> None:
    dsn = Dsn.parse(postgres_database)
    (directory, port), *_ = dsn.hosts
    lifecycle.ready, lifecycle.draining = True, False

    async def never() -> float:
        while not hung.is_set():  # however often it is cancelled
            with contextlib.suppress(asyncio.CancelledError):
                await hung.wait()
        return 1.0

    hung, taken, others = asyncio.Event(), [], []
    answers: list[httpx2.Response] = []
    with FlakyProxy(f"{directory}/.s.PGSQL.{port}") as proxy:
        through = dsn.with_(hosts=(proxy.address,), parameters=(("sslmode", "disable"),))
        async with Database(through, min_size=1) as database:
            await database.ping(timeout=30.0)
            proxy.freeze()
            try:
                for _ in range(3):  # the quickest of three: the machine may be busy
                    watched = Monitor([checks.postgres(database), Check("partner:x", never, essential=False)])
                    app = Starlette(routes=health_routes(watched))
                    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://x") as c:
                        began = time.monotonic()
                        answers.append(await c.get("/health"))
                        taken.append(time.monotonic() - began)
                        others += [
                            (await c.get(f"/health/{route}")).status_code for route in ("live", "ready", "startup")
                        ]
            finally:
                hung.set()
                proxy.heal()
    for answer in answers:
        assert answer.status_code == 503
        assert answer.json()["output"].startswith("postgres:responseTime: ")
        assert answer.json()["checks"]["partner:x"][0]["status"] == "fail"
    assert set(others) == {200}
    assert min(taken) < 1.0


async def test_an_essential_check_that_never_answered_is_503_and_the_document_says_which() -> None:
    async def slow() -> float:
        await asyncio.Event().wait()
        return 1.0

    app = Starlette(routes=health_routes(Monitor([Check("db:x", slow, timeout=60.0)], patience=0.01)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://x") as c:
        r = await c.get("/health")
    assert (r.status_code, r.json()["status"], r.json()["output"]) == (503, "fail", "db:x: no answer yet")
    assert r.json()["checks"]["db:x"][0]["status"] == "unknown"


async def test_a_request_is_named_by_us_and_a_harmless_name_of_the_clients_is_kept_apart() -> None:
    async with client() as c:
        named = await c.get("/echo", headers={"X-Request-ID": "abc-12345"})
        assert named.headers["x-client-request-id"] == "abc-12345"
        assert len(named.headers["x-request-id"]) == 16
        assert named.text.startswith(named.headers["x-request-id"] + " ")
        again = await c.get("/echo", headers={"X-Request-ID": "abc-12345"})
        assert again.headers["x-request-id"] != named.headers["x-request-id"]
        for bad in ("short", "x" * 65, "with space 123", "line\tbreak99", "<script>1234"):
            ignored = await c.get("/echo", headers={"X-Request-ID": bad})
            assert "x-client-request-id" not in ignored.headers
            assert len(ignored.headers["x-request-id"]) == 16


async def test_bodies_up_to_the_limit_pass_and_larger_ones_are_named() -> None:
    async with client() as c:
        assert (await c.post("/echo", content=b"x" * 100)).text.endswith(" 100")
        announced = await c.post("/echo", content=b"x" * 101)
        assert announced.status_code == 413
        assert "101 bytes, the limit is 100" in announced.text

        async def drip():
            for _ in range(20):
                yield b"x" * 10

        assert (await c.post("/echo", content=drip())).status_code == 413


def test_a_limit_below_one_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="limit=0"):
        BodyLimit(echo, limit=0)


async def test_a_scope_may_have_another_limit() -> None:
    app = Starlette(
        routes=[Route("/echo", echo, methods=["POST"]), Route("/files", echo, methods=["POST"])],
        middleware=[
            Middleware(RequestId),
            Middleware(BodyLimit, limit=100, larger=lambda scope: 200 if scope["path"] == "/files" else None),
        ],
        exception_handlers={BodyTooLarge: too_large},
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://x") as c:
        for path, size, status in (("/echo", 101, 413), ("/files", 101, 200), ("/files", 201, 413)):
            assert (await c.post(path, content=b"x" * size)).status_code == status, (path, size)


async def test_the_body_of_a_get_is_bounded_too_and_so_is_a_length_beyond_any_number() -> None:
    async with client() as http:
        assert (await http.request("GET", "/echo", content=b"x" * 101)).status_code == 413
        for digits in ("9" * 18, "9" * 5000):
            answer = await http.post("/echo", content=b"x", headers={"content-length": digits})
            assert answer.status_code == 413
