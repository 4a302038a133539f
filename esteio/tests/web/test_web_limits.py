"""The middleware: what it counts, what it answers, and that it disturbs nothing - over four frameworks."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import http_sf
import httpx2
import litestar
import pytest
from fastapi import FastAPI
from litestar.middleware import DefineMiddleware
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from esteio import events
from esteio.limit import Limit, LimitDenied, LimitError, MemoryStore, RateLimiter, SyncRateLimiter
from esteio.limit.keys import TrustedProxies
from esteio.testing import ManualClock
from esteio.web import RateLimits, Rule, RuleSet, WsgiRateLimits, by_address, by_header, by_user
from esteio.web.limits import Denial, RuleError

TWO = Limit(2, 60, name="two")


async def say(request: Request) -> Response:
    return PlainTextResponse("hello")


def starlette(*rules: Rule, **options: Any) -> RateLimits:
    app = Starlette(routes=[Route("/", say, methods=["GET", "POST"]), Route("/api/x", say), Route("/health", say)])
    return RateLimits(app, rules, **options)


async def bare(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": b"hello"})


def fastapi() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def hello() -> str:
        return "hello"

    return app


def over_fastapi(*rules: Rule) -> Any:
    app = fastapi()
    app.add_middleware(RateLimits, rules=rules)
    return app


def over_litestar(*rules: Rule) -> Any:
    @litestar.get("/")
    async def hello() -> str:
        return "hello"

    return litestar.Litestar([hello], middleware=[DefineMiddleware(RateLimits, rules=rules)], openapi_config=None)


@contextlib.asynccontextmanager
async def client(app: Any, address: str = "203.0.113.7") -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app, client=(address, 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="http://x") as c:
        yield c


@pytest.mark.parametrize("make", [starlette, lambda *rules: RateLimits(bare, rules), over_fastapi, over_litestar])
async def test_any_asgi_application_is_limited_and_its_answers_tell_how_it_stands(make: Callable[..., Any]) -> None:
    async with client(make(Rule(limit=TWO))) as c:
        first, second, third = [await c.get("/") for _ in range(3)]
    assert [first.status_code, second.status_code, third.status_code] == [200, 200, 429]
    assert "hello" in first.text
    assert first.headers["ratelimit-policy"] == '"two";q=2;w=60'
    assert http_sf.parse(first.headers["ratelimit"].encode(), tltype="list")[0] == ("two", {"r": 1, "t": 60})
    assert http_sf.parse(third.headers["ratelimit"].encode(), tltype="list")[0][1]["r"] == 0
    assert 59 <= int(third.headers["retry-after"]) <= 67
    assert third.headers["content-type"] == "application/problem+json"
    assert third.json()["violated-policies"] == ["two"]
    assert int(third.headers["content-length"]) == len(third.content)


async def test_the_answer_speaks_the_clients_language() -> None:
    async with client(starlette(Rule(limit=Limit(1, 60, name="one")))) as c:
        await c.get("/")
        portuguese = await c.get("/", headers={"Accept-Language": "pt-BR, en;q=0.5"})
        english = await c.get("/", headers={"Accept-Language": "en"})
    assert (portuguese.headers["content-language"], portuguese.json()["title"]) == ("pt", "Muitas requisições")
    assert (english.headers["content-language"], english.json()["title"]) == ("en", "Too many requests")
    assert english.headers["vary"] == "accept-language"


async def test_several_rules_are_decided_together_and_a_denial_charges_none() -> None:
    limiter = RateLimiter(MemoryStore())
    wide, narrow = Limit(10, 60, name="wide"), Limit(1, 60, name="narrow")
    app = starlette(Rule(limit=wide), Rule(limit=narrow, methods=["POST"]), limiter=limiter)
    async with client(app) as c:
        passed = await c.post("/")
        assert passed.headers["ratelimit-policy"] == '"wide";q=10;w=60, "narrow";q=1;w=60'
        for _ in range(20):
            denied = await c.post("/")
            assert denied.status_code == 429
        assert denied.json()["violated-policies"] == ["narrow"]
    assert (await limiter.peek("203.0.113.7", wide)).remaining == 9


async def test_addresses_have_allowances_of_their_own_and_one_ipv6_subscriber_has_one() -> None:
    app = starlette(Rule(limit=Limit(1, 60, name="one")))
    statuses = []
    for address in ("203.0.113.7", "203.0.113.8", "2001:db8::1", "2001:db8::2", "::ffff:203.0.113.7"):
        async with client(app, address) as c:
            statuses.append((await c.get("/")).status_code)
    assert statuses == [200, 200, 200, 429, 429]


async def test_a_forged_x_forwarded_for_buys_nothing() -> None:
    direct = starlette(Rule(limit=TWO, key=by_address(TrustedProxies(["10.0.0.0/8"]))))
    async with client(direct) as c:
        statuses = [(await c.get("/", headers={"X-Forwarded-For": f"198.51.100.{n}"})).status_code for n in range(9)]
    assert statuses == [200, 200] + [429] * 7
    behind = starlette(Rule(limit=TWO, key=by_address(TrustedProxies(["10.0.0.0/8"]))))
    async with client(behind, "10.0.0.1") as c:
        forged = [(await c.get("/", headers={"X-Forwarded-For": f"198.51.100.{n}, 203.0.113.7"})) for n in range(9)]
        other = await c.get("/", headers={"Forwarded": "for=203.0.113.9"})
    assert [r.status_code for r in forged] == [200, 200] + [429] * 7
    assert other.status_code == 200


async def test_rules_say_which_methods_paths_and_conditions_they_are_about() -> None:
    rules = [
        Rule(limit=Limit(1, 60, name="reads"), methods=["get"], paths=["/api/*"]),
        Rule(
            limit=Limit(1, 60, name="writes"),
            methods=["POST"],
            when=lambda scope: b"internal" not in str(scope).encode(),
        ),
    ]
    async with client(starlette(*rules)) as c:
        assert "ratelimit" not in (await c.get("/")).headers
        assert (await c.get("/api/x")).headers["ratelimit-policy"].startswith('"reads"')
        assert (await c.head("/api/x")).status_code == 429  # HEAD is a GET that is not sent
        assert (await c.head("/api/x")).content == b""
        assert (await c.post("/")).headers["ratelimit-policy"].startswith('"writes"')
        assert (await c.post("/", headers={"x-who": "internal"})).status_code == 200


async def test_preflights_are_counted_only_where_a_rule_names_them() -> None:
    async with client(starlette(Rule(limit=Limit(1, 60, name="all")))) as c:
        assert not any(["ratelimit" in (await c.options("/")).headers for _ in range(3)])
    async with client(starlette(Rule(limit=Limit(1, 60, name="all"), methods=["OPTIONS"]))) as c:
        assert "ratelimit" in (await c.options("/")).headers


async def test_exempt_requests_and_those_without_a_key_are_not_counted() -> None:
    rule = Rule(
        limit=Limit(1, 60, name="one"), key=by_header("X-Key"), exempt=lambda scope: scope["path"].startswith("/health")
    )
    async with client(starlette(rule)) as c:
        assert [(await c.get("/")).status_code for _ in range(3)] == [200] * 3
        assert [(await c.get("/health", headers={"x-key": "a"})).status_code for _ in range(3)] == [200] * 3
        assert [(await c.get("/", headers={"x-key": "a"})).status_code for _ in range(2)] == [200, 429]
        assert (await c.get("/", headers={"x-key": "b"})).status_code == 200
        assert (await c.get("/", headers={"x-key": "x" * 10_000})).status_code == 200


async def test_a_signed_in_user_has_an_allowance_wherever_they_come_from() -> None:
    class Everybody:
        async def authenticate(self, conn):
            name = conn.headers.get("x-name")
            return (AuthCredentials(), SimpleUser(name)) if name else None

    app = Starlette(
        routes=[Route("/", say)],
        middleware=[
            Middleware(AuthenticationMiddleware, backend=Everybody()),
            Middleware(RateLimits, rules=[Rule(limit=Limit(1, 60, name="user"), key=by_user())]),
        ],
    )
    async with client(app) as c, client(app, "198.51.100.1") as elsewhere:
        assert (await c.get("/", headers={"x-name": "ana"})).status_code == 200
        assert (await elsewhere.get("/", headers={"x-name": "ana"})).status_code == 429
        assert (await c.get("/", headers={"x-name": "rui"})).status_code == 200
        assert "ratelimit" not in (await c.get("/")).headers


async def test_a_request_can_cost_more_and_one_above_the_limit_is_told_that_waiting_is_no_use() -> None:
    def price(scope) -> int:
        return int(scope["query_string"] or b"0")

    async with client(starlette(Rule(limit=Limit(10, 60, name="units"), cost=price))) as c:
        assert (await c.get("/?7")).headers["ratelimit"].startswith('"units";r=3')
        assert (await c.get("/?4")).status_code == 429
        assert "ratelimit" not in (await c.get("/")).headers  # free
        never = await c.get("/?11")
        assert never.status_code == 429
        assert "retry-after" not in never.headers
        assert "can never pass" in never.json()["detail"]


async def test_shadow_counts_and_tells_and_never_denies() -> None:
    rules = RuleSet([Rule(limit=Limit(1, 60, name="trial"), shadow=True), Rule(limit=Limit(3, 60, name="real"))])
    seen: list[events.Event] = []
    unsubscribe = events.subscribe(seen.append)
    try:
        async with client(RateLimits(Starlette(routes=[Route("/", say)]), rules)) as c:
            answers = [await c.get("/") for _ in range(5)]
    finally:
        unsubscribe()
    assert [r.status_code for r in answers] == [200, 200, 200, 429, 429]
    assert "trial" not in answers[1].headers["ratelimit"]
    assert rules.counts()["trial"].shadowed == 2  # what was denied anyway is not its doing
    assert rules.counts()["trial"].allowed == 1
    assert (rules.counts()["real"].allowed, rules.counts()["real"].denied) == (3, 2)
    told = [(e.name, e.shadow) for e in seen if isinstance(e, LimitDenied)]
    assert told == [("trial", True), ("trial", True), ("real", False), ("real", False)]
    assert "203.0.113.7" not in str(seen)


async def test_rules_are_replaced_while_it_runs_and_what_was_used_is_not_forgotten() -> None:
    rules = RuleSet([Rule(limit=Limit(2, 60, name="api"))])
    middleware = RateLimits(Starlette(routes=[Route("/", say)]), rules)
    async with client(middleware) as c:
        assert [(await c.get("/")).status_code for _ in range(3)] == [200, 200, 429]
        rules.replace([Rule(limit=Limit(3, 60, name="api"))])
        assert [(await c.get("/")).status_code for _ in range(2)] == [200, 429]
        middleware.rules = [Rule(limit=Limit(1, 60, name="other"))]
        assert (await c.get("/")).headers["ratelimit-policy"] == '"other";q=1;w=60'
        middleware.rules = RuleSet()
        assert "ratelimit" not in (await c.get("/")).headers


def test_rules_that_clash_are_refused_and_the_old_ones_stay() -> None:
    rules = RuleSet([Rule(limit=TWO)])
    with pytest.raises(RuleError, match="taken by another rule"):
        rules.replace([Rule(limit=Limit(1, 1, name="a")), Rule(limit=Limit(2, 1, name="a"))])
    assert [rule.name for rule in rules.rules] == ["two"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"limit": Limit(1, 60)}, "no name"),
        ({"paths": "/api/*"}, "collections"),
        ({"methods": "GET"}, "collections"),
        ({"paths": ["api/*"]}, 'path "api/\\*"'),
        ({"paths": ["/a/*/b"]}, "prefix like"),
        ({"cost": 0}, "cost=0"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_when_it_is_made(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(RuleError, match=says):
        Rule(**{"limit": TWO, **arguments})


def test_an_async_key_function_is_refused_with_what_to_do_instead() -> None:
    async def who(scope):
        return "a"

    with pytest.raises(RuleError, match="who is async"):
        Rule(limit=TWO, key=who)


async def test_what_a_key_function_raises_surfaces() -> None:
    def broken(scope):
        raise KeyError("tenant")

    async with client(starlette(Rule(limit=TWO, key=broken))) as c:
        with pytest.raises(KeyError, match="tenant"):
            await c.get("/")


async def test_the_answer_to_a_denied_request_can_be_the_applications_own() -> None:
    def respond(scope, denial: Denial):
        return PlainTextResponse(f"{denial.denied[0].limit.name}: wait {denial.retry_after}", 429)

    async with client(starlette(Rule(limit=Limit(1, 60, name="one")), respond=respond)) as c:
        await c.get("/")
        denied = await c.get("/")
    assert denied.text == f"one: wait {denied.headers['retry-after']}"
    assert "ratelimit" in denied.headers


async def test_the_older_fields_come_on_request_for_the_tightest_rule() -> None:
    rules = [Rule(limit=Limit(10, 60, name="wide")), Rule(limit=Limit(2, 60, name="narrow"))]
    async with client(starlette(*rules, legacy=True)) as c:
        first = await c.get("/")
    assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("2", "1")


async def test_the_allowance_comes_back_with_time() -> None:
    clock = ManualClock()
    async with client(starlette(Rule(limit=TWO), limiter=RateLimiter(MemoryStore(clock=clock), clock=clock))) as c:
        assert [(await c.get("/")).status_code for _ in range(3)] == [200, 200, 429]
        clock.advance(60.0)
        assert (await c.get("/")).status_code == 200


async def test_streams_flow_piece_by_piece_in_both_directions() -> None:
    seen: list[str] = []

    async def echo(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            async for piece in request.stream():
                if piece:
                    seen.append(f"read {len(piece)}")
                    yield piece

        return StreamingResponse(pieces())

    app = RateLimits(Starlette(routes=[Route("/", echo, methods=["POST"])]), [Rule(limit=TWO)])
    pieces = [{"type": "http.request", "body": b"x" * n, "more_body": n < 3} for n in (1, 2, 3)]

    async def receive() -> dict[str, Any]:
        if not pieces:
            await asyncio.Event().wait()
        seen.append("asked")
        return pieces.pop(0)

    async def send(message) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            seen.append(f"sent {len(message['body'])}")

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [],
        "query_string": b"",
        "client": ("203.0.113.7", 1),
    }
    scope["asgi"] = {"version": "3.0", "spec_version": "2.4"}  # or else Starlette reads ahead, to see the client leave
    await asyncio.wait_for(app(scope, receive, send), 10)
    assert seen == ["asked", "read 1", "sent 1", "asked", "read 2", "sent 2", "asked", "read 3", "sent 3"]


async def test_a_denied_request_is_answered_without_reading_its_body() -> None:
    app = RateLimits(bare, [Rule(limit=Limit(1, 60, name="one"))])
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "client": ("203.0.113.7", 1)}
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was read")

    async def send(message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    await app(scope, receive, send)
    assert [m["status"] for m in sent if "status" in m] == [200, 429]
    assert json.loads(sent[-1]["body"])["status"] == 429


async def test_lifespan_passes_untouched() -> None:
    began: list[str] = []

    @contextlib.asynccontextmanager
    async def life(app):
        began.append("start")
        yield
        began.append("stop")

    app = Starlette(lifespan=life)
    app.add_middleware(RateLimits, rules=[Rule(limit=TWO)])
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message) -> None:
        began.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    assert began == ["start", "lifespan.startup.complete", "stop", "lifespan.shutdown.complete"]


async def handshake(app: Any, **scope: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    waiting = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message) -> None:
        sent.append(message)

    whole = {
        "type": "websocket",
        "path": "/ws",
        "headers": [],
        "client": ("203.0.113.7", 1),
        "query_string": b"",
        **scope,
    }
    await app(whole, receive, send)
    return sent


async def test_websockets_pass_unless_a_rule_counts_their_handshakes() -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.accept()

    def make(**options: Any) -> Any:
        rule = Rule(limit=Limit(1, 60, name="one"), **options)
        return RateLimits(Starlette(routes=[WebSocketRoute("/ws", talk)]), [rule])

    free = make()
    assert [(await handshake(free))[0]["type"] for _ in range(3)] == ["websocket.accept"] * 3
    counted = make(websockets=True)
    (accepted,) = await handshake(counted)
    assert (b"ratelimit-policy", b'"one";q=1;w=60') in accepted["headers"]
    assert await handshake(counted) == [{"type": "websocket.close", "code": 1013}]
    told = await handshake(counted, extensions={"websocket.http.response": {}})
    assert told[0]["status"] == 429
    assert b"retry-after" in dict(told[0]["headers"])


async def test_peers_without_an_address_share_one_allowance() -> None:
    app = RateLimits(bare, [Rule(limit=Limit(1, 60, name="one"))])
    statuses = []

    async def send(message) -> None:
        statuses.append(message.get("status"))

    for peer in (None, ("", 0), ("testclient", 1)):
        await app({"type": "http", "method": "GET", "path": "/", "headers": [], "client": peer}, None, send)
    assert [status for status in statuses if status] == [200, 429, 429]


@pytest.mark.parametrize(
    ("field", "value"),
    [("limit", 5), ("cost", 0), ("cost", 1.5), ("cost", True), ("key", "ip"), ("when", 1), ("exempt", "x")],
)
def test_a_field_of_a_rule_that_can_not_work_is_refused_when_it_is_made(field: str, value: Any) -> None:
    with pytest.raises(RuleError, match=f"{field}={value!r}"):
        Rule(**{"limit": TWO, field: value})


def test_a_limiter_or_language_that_can_not_work_is_refused_when_the_middleware_is_made() -> None:
    with pytest.raises(LimitError, match="WsgiRateLimits takes a SyncRateLimiter"):
        RateLimits(bare, limiter=SyncRateLimiter())  # type: ignore[arg-type]
    with pytest.raises(LimitError, match="RateLimits takes a RateLimiter"):
        WsgiRateLimits(lambda environ, start: [], limiter=RateLimiter())  # type: ignore[arg-type]
    for make in (RateLimits, WsgiRateLimits):
        with pytest.raises(LimitError, match="default_language='fr'"):
            make(bare, default_language="fr")  # type: ignore[operator]
    with pytest.raises(RuleError, match="is none"):
        RuleSet(["rule"])  # type: ignore[list-item]
