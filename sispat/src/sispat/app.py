"""The composition root: `sispat.app:app` runs under `sispat serve` and under plain `uvicorn sispat.app:app` alike.

Promises: making the application touches nothing; opening it never fails because the database
is away. What the routes may do is decided in the use cases (sispat.domain.permissoes holds the matrix).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from esteio import EsteioError
from esteio.web import BodyLimit, RateLimits, RequestId, health_routes
from esteio.web.limits import Denial
from sispat import __version__, api, pages
from sispat.domain.erros import SispatError
from sispat.settings import Settings, carregar
from sispat.web.erros import Problema, problema_de, problema_do_limite, resposta_problema
from sispat.web.limites import Identificacao, regras
from sispat.web.servico import Servico

__all__ = ["criar_app"]


def criar_app(settings: Settings) -> FastAPI:
    """The application for these settings."""
    servico = Servico.montar(settings)

    @contextlib.asynccontextmanager
    async def vida(_: FastAPI) -> AsyncIterator[None]:
        async with servico.aberto():
            yield

    aplicacao = FastAPI(
        title="SISPAT",
        version=__version__,
        description="Gestão patrimonial: os mesmos casos de uso das telas, em JSON.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=vida,
        middleware=[
            Middleware(RequestId),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=4),
            Middleware(BodyLimit, limit=settings.body_limit),
            Middleware(Identificacao, db=servico.db, validade=servico.validade, manutencao=servico.manutencao),
            Middleware(RateLimits, rules=regras(settings), limiter=servico.limitador, respond=_recusar),
        ],
    )
    aplicacao.state.servico = servico
    for tipo in (SispatError, EsteioError, HTTPException, RequestValidationError, ClientDisconnect, Exception):
        aplicacao.add_exception_handler(tipo, _mostrar_erro)
    aplicacao.router.routes.extend(
        health_routes(servico.saude, prefix="/api/health", version=__version__, service="sispat")
    )
    api.montar(aplicacao)
    pages.montar(aplicacao)
    return aplicacao


async def _mostrar_erro(request: Request, erro: Exception) -> Response:
    return await _mostrar(request, problema_de(erro))


def _recusar(_: Scope, recusa: Denial) -> ASGIApp:
    async def responder(scope: Scope, receive: Receive, send: Send) -> None:
        resposta = await _mostrar(Request(scope, receive, send), problema_do_limite(recusa))
        await resposta(scope, receive, send)

    return responder


async def _mostrar(request: Request, problema: Problema) -> Response:
    if request.url.path.startswith("/api"):
        return resposta_problema(request, problema)
    return await pages.pagina_de_erro(request, problema)


def __getattr__(nome: str) -> FastAPI:
    """`app`, made when a server asks for it: importing this module for `criar_app` reads no settings."""
    if nome == "app":
        aplicacao: FastAPI = globals().setdefault("app", criar_app(carregar()))
        return aplicacao
    raise AttributeError(nome)
