"""What every request meets first, and what every answer carries."""

from __future__ import annotations

import base64
import json
import os
import random
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import pytest
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esteio.postgres import Dsn
from sispat.app import create_app
from sispat.http.resume import local_path
from sispat.http.route import HandlerRoute
from sispat.kernel.tokens import csrf_for
from sispat.settings import Settings

ADDRESSES = (
    "/", "/entrar", "/patrimonios", "/patrimonios.csv", "/nada", "/api/patrimonios", "/api/patrimonios.csv", "/api/nada",
    "/api/docs", "/api/docs/inicio.js", "/api/openapi.json", "/api/health", "/api/health/live",
)  # fmt: skip


async def test_every_answer_forbids_sniffing_and_framing_and_says_what_may_run(cliente) -> None:
    for email in (None, "gestor@demo.local"):
        async with cliente(email) as c:
            for address in ADDRESSES:
                headers = (await c.get(address)).headers
                assert headers["x-content-type-options"] == "nosniff", address
                assert "frame-ancestors 'none'" in headers["content-security-policy"], address
                assert "script-src 'unsafe-inline'" not in headers["content-security-policy"], address
                assert headers["referrer-policy"] == "same-origin", address
                assert len(headers.get_list("content-security-policy")) == 1, address


async def test_strict_transport_is_asked_for_where_tls_is_used_and_only_there(cliente) -> None:
    async with cliente() as c:
        for address in ADDRESSES:
            assert "strict-transport-security" not in (await c.get(address)).headers
            assert (await c.get(f"https://sispat.test{address}")).headers[
                "strict-transport-security"
            ] == "max-age=31536000"
    async with cliente(secure_cookies="sim") as c:
        assert "strict-transport-security" in (await c.get("/entrar")).headers


@pytest.mark.parametrize("host", ["", "a b", "a/b", "a@b", "[::1", "x" * 300, "sispat.test:123456"])
async def test_a_host_that_is_none_is_refused(cliente, host: str) -> None:
    async with cliente() as c:
        refused = await c.get("/api/health/live", headers={"Host": host})
    assert refused.status_code == 400
    assert refused.json()["codigo"] == "host-invalido"


async def test_two_hosts_or_none_are_refused(cliente) -> None:
    async with cliente() as c:
        request = c.build_request("GET", "/entrar")
        for hosts in ([], [("Host", "sispat.test"), ("Host", "mau.test")]):
            request.headers = httpx2.Headers([*hosts, ("Accept", "text/html")])
            assert (await c.send(request)).status_code == 400


@pytest.mark.parametrize("host", ["sispat.test", "10.0.0.7:8000", "[::1]:8000", "patrimonio.cidade.sp.gov.br"])
async def test_names_and_addresses_with_or_without_a_port_are_hosts(cliente, host: str) -> None:
    async with cliente() as c:
        assert (await c.get("/entrar", headers={"Host": host})).status_code == 200


async def test_head_is_answered_as_get_without_a_body(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        for address in ("/api/patrimonios", "/api/patrimonios.csv", "/api/health", "/api/nada", "/api/docs"):
            got, head = await c.get(address), await c.head(address)
            assert (head.status_code, head.content) == (got.status_code, b""), address
            assert head.headers["content-type"] == got.headers["content-type"], address


async def test_a_refused_method_names_all_that_are_allowed(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        refused = await c.request("DELETE", "/api/patrimonios")
    assert refused.status_code == 405
    assert refused.headers["allow"] == "GET, HEAD, POST"


async def test_a_slash_too_many_leads_to_the_page_of_this_host_alone(cliente) -> None:
    async with cliente() as c:
        for path, target in (
            ("/patrimonios/?q=a", "/patrimonios?q=a"),
            ("//mau.test/", "/mau.test"),
            ("/api/patrimonios/", "/api/patrimonios"),
        ):
            moved = await c.get(f"http://sispat.test{path}", headers={"Host": "mau.test"})
            assert (moved.status_code, moved.headers["location"]) == (308, target)


@pytest.mark.parametrize(
    "path", ["//[", "/[", "/x\0", "http://mau.test", "//mau.test", "/\\mau.test", "/a\u202eb", "", "x"]
)
async def test_where_to_after_signing_in_is_a_page_of_ours(cliente, path: str) -> None:
    assert local_path(path).startswith("/")
    assert "mau" not in local_path(path)
    async with cliente() as c:
        shown = await c.get("/entrar", params={"proximo": path})
    assert shown.status_code == 200


async def test_the_unexpected_is_an_answer_like_any_other_and_the_connection_goes_on(cidade: Dsn) -> None:
    application = create_app(Settings(database_url=cidade, cep_url=None))

    async def broken(_: Request) -> Response:
        raise RuntimeError("segredo")

    application.router.routes.append(Route("/api/quebrada", broken))
    transport = httpx2.ASGITransport(
        application
    )  # what is raised to the server is raised here: it would cut the connection
    async with httpx2.AsyncClient(transport=transport, base_url="http://sispat.test") as c:
        failed = await c.get("/api/quebrada")
    assert failed.status_code == 500
    assert failed.json()["requisicao"] == failed.headers["x-request-id"]
    assert failed.headers["x-content-type-options"] == "nosniff"
    assert "segredo" not in failed.text


async def test_a_repeated_write_gets_all_headers_of_the_first_answer(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        bem = (await c.get("/api/patrimonios?limit=1")).json()["items"][0]
        places = {f"{name}_id": bem[name]["id"] for name in ("classe", "setor", "local", "agente")}
        body = {"descricao": "Mesa", "valor": "10.00", "data_aquisicao": "2026-01-31", "quantidade": 3, **places}
        first, second = [
            await c.post("/api/patrimonios", json=body, headers={"Idempotency-Key": "um-so"}) for _ in range(2)
        ]
    assert first.status_code == second.status_code == 201
    assert second.headers["idempotency-replayed"] == "true"
    for name in ("x-numeros", "location", "cache-control", "content-type"):
        assert second.headers[name] == first.headers[name]


def cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


FORGED = [
    (sort, cursor(sort, direction, key, numero))
    for sort in ("numero", "descricao", "valor", "data_aquisicao")
    for direction in ("a", "d", "x")
    for key, numero in (
        (True, 1), ("abc", 1), ("1e200000", 1), ("\0", 1), ("\ud800", 1), ("NaN", 1), ("2026-02-31", 1), ("infinity", 1),
        ("9" * 30, 1), ("1", 2**70), ("1", True), ("1", "1"), ("1", -1), (None, None), ("-1", 1), ("²", 1), ("x" * 300, 1),
    )
]  # fmt: skip


async def test_a_forged_cursor_is_refused_and_never_an_error_of_ours(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        for sort, forged in [*FORGED, ("numero", "%%%"), ("numero", "é"), ("numero", cursor()), ("numero", "bnVsbA")]:
            answer = await c.get("/api/patrimonios", params={"sort": sort, "cursor": forged})
            assert answer.status_code in (200, 422), (sort, forged, answer.text)
            screen = await c.get("/patrimonios", params={"sort": sort, "pagina": forged})
            assert screen.status_code in (200, 303, 401, 422), (sort, forged)


NASTY = (
    "", " ", "\0", "a\0b", "\ud800", "\u202e", "\u200b", "//[", "../../etc/passwd", "%", "%00", "'", '"', "';--", "\\", "{}",
    "[]", "null", "true", "-1", "0", "1e200000", "NaN", "-0.00", "9" * 400, "²", "٣", "<script>", "{{7*7}}", "%s%s", "$1",
    "\r\nX: y", "0001-01-01", "9999-12-31", "2026-02-31", "00000000-0000-4000-8000-000000000000", "x" * 5000,
)  # fmt: skip


def parameters(route: APIRoute) -> list[str]:
    asked = {field.name for field in route.dependant.query_params} | {"feito", "novos", "proximo", "antes_de", "q"}
    for field in route.dependant.query_params:
        asked |= set(getattr(field.field_info.annotation, "model_fields", None) or ())
    return sorted(asked)


STRINGS = int(os.environ.get("SISPAT_EDGE_STRINGS", "8"))  # of NASTY, to each route; `make rounds` sends all


@pytest.mark.timeout(240)  # some 3,000 requests
async def test_no_parameter_of_any_route_makes_an_error_of_ours(cliente, cidade, viacep) -> None:
    """Anything, in every part of the path, every parameter and every field of every route."""
    chance = random.Random(20261129)
    every = create_app(Settings(database_url=cidade)).routes
    routes = [each.described() for each in every if isinstance(each, HandlerRoute)]
    failed: list[Any] = []
    async with cliente(
        "admin@demo.local", limit_user=None, limit_write=None, limit_report=None, cep_url=viacep.url
    ) as c:
        token = c.headers["Authorization"].removeprefix("Bearer ")
        for route in routes:
            if route.path in ("/api/auth/logout", "/sair"):
                continue
            for nasty in chance.sample(NASTY, min(STRINGS, len(NASTY))):
                failed += await _attack(c, route, nasty, chance, token)
    assert not failed


async def _attack(c: httpx2.AsyncClient, route: APIRoute, nasty: str, chance: random.Random, token: str) -> list[Any]:
    failed = []
    path = route.path
    for name in route.param_convertors:
        value = quote(nasty.encode("utf-8", "surrogatepass"), safe="") or "x"
        path = path.replace(f"{{{name}}}", value).replace(f"{{{name}:uuid}}", value)
    asked = dict.fromkeys(chance.sample(parameters(route), 2), nasty)
    query = urlencode(asked, encoding="utf-8", errors="surrogatepass")
    for method in route.methods:
        content, kind = None, None
        if method not in ("GET", "HEAD"):
            fields = (
                route.body_field.field_info.annotation.model_fields
                if route.body_field
                else {"email": 0, "descricao": 0, "versao": 0}
            )
            sent = dict.fromkeys(fields, nasty)
            if route.path.startswith("/api"):
                content, kind = json.dumps(sent), "application/json"
            else:
                sent |= {"_csrf": csrf_for(token)}
                content = urlencode(sent, encoding="utf-8", errors="surrogatepass")
                kind = "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind} if kind else {}
        headers |= {"If-Match": nasty} if nasty.isascii() and nasty.isprintable() else {}
        cookies = {} if route.path.startswith("/api") else {"Cookie": f"sispat_sessao={token}"}
        answer = await c.request(method, f"{path}?{query}", content=content, headers={**headers, **cookies})
        # A look-up that was answered for another CEP is the other service's failure, and said to be.
        if answer.status_code >= 500 and (route.path, answer.status_code) != ("/api/cep/{cep}", 503):
            failed.append((method, route.path, asked, nasty, answer.status_code))
    return failed


async def test_behind_tls_the_sessions_cookie_is_one_that_no_other_host_can_set(cliente) -> None:
    who = {"email": "gestor@demo.local", "password": "demo"}
    async with cliente() as c:
        c.base_url = "https://sispat.test"
        entered = await c.post("/api/auth/login", json=who)
        (session,) = [each for each in entered.headers.get_list("set-cookie") if "sispat_sessao" in each]
        assert session.startswith("__Host-sispat_sessao=")
        assert "Secure" in session
        assert "Path=/" in session
        assert "omain=" not in session
        token = entered.json()["token"]
        assert (await c.get("/api/auth/me")).status_code == 200
        c.cookies.clear()
        planted = await c.get("/api/auth/me", headers={"Cookie": f"sispat_sessao={token}"})
        assert planted.status_code == 401
