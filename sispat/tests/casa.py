"""The service in this process, and clients of it from many addresses."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import http_sf
import httpx2

from sispat.app import create_app
from sispat.settings import Settings

GESTOR = {"email": "gestor@demo.local", "password": "demo"}
ERRADA = {"email": "gestor@demo.local", "password": "errada"}


class Casa:
    """One process of the service, and clients of it from many addresses."""

    def __init__(self, aplicacao: Any) -> None:
        self._aplicacao = aplicacao

    @contextlib.asynccontextmanager
    async def de(self, endereco: str, **cabecalhos: str) -> AsyncIterator[httpx2.AsyncClient]:
        transporte = httpx2.ASGITransport(self._aplicacao, raise_app_exceptions=False, client=(endereco, 4711))
        async with httpx2.AsyncClient(transport=transporte, base_url="http://sispat.test", headers=cabecalhos) as c:
            yield c

    async def entrar(self, endereco: str, dados: dict[str, str] = GESTOR, **cabecalhos: str) -> httpx2.Response:
        async with self.de(endereco, **cabecalhos) as c:
            return await c.post("/api/auth/login", json=dados)


@contextlib.asynccontextmanager
async def casa(dsn: Any, **ajustes: object) -> AsyncIterator[Casa]:
    aplicacao = create_app(Settings(database_url=dsn, cep_url=None, **ajustes))
    async with aplicacao.router.lifespan_context(aplicacao):
        yield Casa(aplicacao)


def problema(r: httpx2.Response, codigo: str) -> dict[str, Any]:
    """A 429 as everybody may rely on it."""
    assert r.status_code == 429, r.text
    assert r.headers["content-type"] == "application/problem+json"
    assert r.headers["retry-after"].isdigit()
    assert 1 <= int(r.headers["retry-after"]) <= 3600 * 1.1 + 1, "seconds from now, never a point in time"
    for campo in ("ratelimit", "ratelimit-policy"):
        assert http_sf.parse(r.headers[campo].encode(), tltype="list")
    corpo = r.json()
    assert corpo["codigo"] == codigo
    assert corpo["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert corpo["retry-after"] == int(r.headers["retry-after"])
    assert corpo["violated-policies"]
    return dict(corpo)


@contextlib.asynccontextmanager
async def administrador(c: Casa) -> AsyncIterator[httpx2.AsyncClient]:
    async with c.de("192.0.2.99") as http:
        r = await http.post("/api/auth/login", json={"email": "admin@demo.local", "password": "demo"})
        http.cookies.clear()
        http.headers["Authorization"] = f"Bearer {r.json()['token']}"
        yield http
