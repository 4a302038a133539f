"""The WSGI middleware: the rules and answers of the ASGI one, around real Flask and Django, under threads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from wsgiref.validate import validator

import flask
import http_sf
import httpx2
import pytest
from django_site import wsgi_application
from werkzeug.serving import make_server

from esteio.limit import HostStore, Limit, LimitDenied, MemoryStore, SyncRateLimiter
from esteio.limit.keys import TrustedProxies
from esteio.testing import ManualClock, recorded_events
from esteio.web import Rule, RuleSet, WsgiRateLimits, by_address, by_header, by_user
from esteio.web.limits import Denial, RuleError

TWO = Limit(2, 60, name="two")


def bare(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("X-Own", "1"), ("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else b"hello"]


def over_flask(*rules: Rule, **options: Any) -> Any:
    app = flask.Flask("limited")

    @app.route("/", methods=["GET", "POST"])
    @app.route("/api/<path:rest>")
    def hello(rest: str = "") -> flask.Response:
        return flask.Response("hello", headers={"X-Own": "1"})

    app.wsgi_app = WsgiRateLimits(app.wsgi_app, rules, **options)  # type: ignore[method-assign]
    return app


def over_django(*rules: Rule, **options: Any) -> Any:
    return WsgiRateLimits(wsgi_application(), rules, **options)


def over_bare(*rules: Rule, **options: Any) -> Any:
    return validator(WsgiRateLimits(validator(bare), rules, **options))  # PEP 3333 on both sides


Over = Callable[..., Any]
every = pytest.mark.parametrize("over", [over_bare, over_flask, over_django])


def client(app: Any, address: str = "203.0.113.7") -> httpx2.Client:
    return httpx2.Client(transport=httpx2.WSGITransport(app, remote_addr=address), base_url="http://x")


@contextmanager
def served(app: Any) -> Iterator[str]:
    """A real server with a thread for each connection."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@every
def test_two_pass_and_the_third_is_told_when_to_come_back(over: Over) -> None:
    limiter = SyncRateLimiter(MemoryStore(clock=ManualClock()))
    with client(over(Rule(limit=TWO, paths=["/api/*"]), limiter=limiter)) as http, recorded_events() as seen:
        first, second, third = [http.get("/api/x") for _ in range(3)]
        assert [first.status_code, second.status_code, third.status_code] == [200, 200, 429]
        assert (first.text, first.headers["x-own"]) == ("hello", "1")
        assert first.headers["ratelimit-policy"] == '"two";q=2;w=60'
        assert http_sf.parse(second.headers["ratelimit"].encode(), tltype="list") == [("two", {"r": 0, "t": 60})]
        assert 60 <= int(third.headers["retry-after"]) <= 66
        assert third.headers["content-type"] == "application/problem+json"
        body = third.json()
        assert (body["status"], body["violated-policies"]) == (429, ["two"])
        assert body["retry-after"] == int(third.headers["retry-after"])
        assert http.get("/").headers.get("ratelimit") is None
        in_portuguese = http.get("/api/x", headers={"Accept-Language": "pt-BR"})
        assert (in_portuguese.json()["title"], in_portuguese.headers["content-language"]) == (
            "Muitas requisições",
            "pt",
        )
        assert in_portuguese.headers["cache-control"] == "no-store"
        head = http.head("/api/x")
        assert (head.status_code, head.content) == (429, b"")
    assert [type(each) for each in seen] == [LimitDenied] * 3


@pytest.mark.parametrize("over", [over_flask, over_django])
def test_under_threads_exactly_as_many_pass_as_may_and_every_request_is_counted(over: Over) -> None:
    rules = RuleSet([Rule(limit=Limit(50, 3600, name="all")), Rule(limit=Limit(20, 3600, name="try"), shadow=True)])
    app = over()
    middleware = app.wsgi_app if isinstance(app, flask.Flask) else app
    middleware.rules.replace(rules.rules)
    with served(app) as url, ThreadPoolExecutor(8) as pool:

        def ask(_: int) -> list[int]:
            with httpx2.Client(base_url=url) as http:
                return [http.get("/").status_code for _ in range(10)]

        statuses = [status for some in pool.map(ask, range(16)) for status in some]
    assert (statuses.count(200), statuses.count(429)) == (50, 110)
    counts = middleware.rules.counts()
    assert (counts["all"].allowed, counts["all"].denied) == (50, 110)
    assert (counts["try"].allowed, counts["try"].shadowed) == (20, 30)


def test_two_middlewares_with_one_store_share_the_allowance(tmp_path: Any) -> None:
    with HostStore.create(tmp_path / "limits") as made, HostStore(made.path) as other:
        one = client(over_flask(Rule(limit=TWO), limiter=SyncRateLimiter(made)))
        two = client(over_django(Rule(limit=TWO), limiter=SyncRateLimiter(other)))
        assert [http.get("/").status_code for http in (one, two, one, two)] == [200, 200, 429, 429]


@every
def test_trusted_proxies_speak_for_clients_and_nobody_else_does(over: Over) -> None:
    rule = Rule(limit=Limit(1, 60, name="address"), key=by_address(TrustedProxies(["10.0.0.0/8"])))
    app = over(rule)
    with client(app, "10.0.0.9") as proxy, client(app, "198.51.100.3") as direct:
        assert proxy.get("/", headers={"X-Forwarded-For": "1.1.1.1, 203.0.113.1"}).status_code == 200
        assert proxy.get("/", headers={"X-Forwarded-For": "2.2.2.2, 203.0.113.1"}).status_code == 429
        assert proxy.get("/", headers={"Forwarded": "for=203.0.113.2"}).status_code == 200
        assert direct.get("/", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 200
        assert direct.get("/", headers={"X-Forwarded-For": "203.0.113.8"}).status_code == 429


def environ(**changes: Any) -> dict[str, Any]:
    return {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SCRIPT_NAME": "", "REMOTE_ADDR": "203.0.113.7", **changes}


def status(app: Any, **changes: Any) -> str:
    said: list[str] = []
    list(app(environ(**changes), lambda status, headers, exc_info=None: said.append(status)))
    return said[0][:3]


def test_keys_come_from_headers_the_signed_in_user_and_the_environ() -> None:
    app = WsgiRateLimits(
        bare,
        [
            Rule(limit=Limit(1, 60, name="tenant"), key=by_header("X-Tenant")),
            Rule(limit=Limit(1, 60, name="user"), key=by_user()),
            Rule(limit=Limit(1, 60, name="own"), key=lambda scope: scope["environ"].get("own.key")),
            Rule(limit=Limit(1, 60, name="json"), when=lambda scope: (b"content-type", b"a/json") in scope["headers"]),
        ],
    )
    for change in ({"HTTP_X_TENANT": "é"}, {"REMOTE_USER": "ana"}, {"own.key": "k"}, {"CONTENT_TYPE": "a/json"}):
        assert [status(app, **change) for _ in range(2)] == ["200", "429"]
    assert [status(app) for _ in range(3)] == ["200"] * 3


def test_paths_are_those_of_the_url_and_a_unix_socket_is_one_client() -> None:
    app = WsgiRateLimits(bare, [Rule(limit=Limit(1, 60, name="path"), paths=["/app/ação"])])
    there = {"SCRIPT_NAME": "/app", "PATH_INFO": "/ação".encode().decode("latin-1"), "REMOTE_ADDR": ""}
    assert [status(app, **there), status(app), status(app, **there)] == ["200", "200", "429"]


def test_a_stream_stays_a_stream_and_errors_of_the_application_pass() -> None:
    taken: list[int] = []

    def streaming(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        for number in range(3):
            taken.append(number)
            yield b"x"

    body = iter(WsgiRateLimits(streaming, [Rule(limit=TWO)])(environ(), lambda *_: lambda data: None))
    assert (next(body), taken) == (b"x", [0])

    def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            raise LookupError
        except LookupError:
            start_response("500 Oops", [], sys.exc_info())
        return []

    assert status(WsgiRateLimits(failing, [Rule(limit=TWO)])) == "500"


def test_what_a_key_function_raises_is_raised() -> None:
    def broken(scope: Any) -> str:
        raise LookupError("no tenant")

    with pytest.raises(LookupError, match="no tenant"):
        status(WsgiRateLimits(bare, [Rule(limit=TWO, key=broken)]))


def test_the_answer_can_be_ones_own_and_has_the_fields_too() -> None:
    def sorry(environ: dict[str, Any], denial: Denial) -> Any:
        return flask.Response(f"Come back in {denial.retry_after} s.", 429)

    with client(over_flask(Rule(limit=Limit(1, 60, name="one")), respond=sorry, legacy=True)) as http:
        passed, denied = http.get("/"), http.get("/")
    assert passed.headers["x-ratelimit-remaining"] == "0"
    assert denied.text == f"Come back in {denied.headers['retry-after']} s."
    assert denied.headers["ratelimit"].startswith('"one";r=0;t=60')


def test_rules_that_clash_are_refused_when_it_is_built() -> None:
    with pytest.raises(RuleError, match="taken"):
        WsgiRateLimits(bare, [Rule(limit=TWO), Rule(limit=TWO)])


@pytest.mark.parametrize(("remaining", "shown"), [("1", "1"), ("50", "9"), ("many", "9")])
def test_an_application_with_a_limit_of_its_own_shows_both_in_one_line(remaining: str, shown: str) -> None:
    own = [
        ("RateLimit-Policy", '"own";q=60;w=60'),
        ("RateLimit", '"own";r=1;t=9'),
        ("X-RateLimit-Limit", "60"),
        ("X-RateLimit-Remaining", remaining),
        ("X-RateLimit-Reset", "9"),
    ]

    def limited(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5"), *own])
        return [b"hello"]

    edge = validator(WsgiRateLimits(validator(limited), [Rule(limit=Limit(10, 60, name="edge"))], legacy=True))
    with client(edge) as c:
        told = c.get("/").headers
    for name in ("ratelimit-policy", "ratelimit"):
        (line,) = told.get_list(name)
        assert [item for item, _ in http_sf.parse(line.encode(), tltype="list")] == ["edge", "own"]
    assert told.get_list("x-ratelimit-remaining") == [shown], "of the tighter one"
    assert told.get_list("x-ratelimit-limit") == ["60" if shown == "1" else "10"]
