"""How a request reaches its function.

Promises: without any session token the answer is 401, before a body is looked at; whose token it is, and
whether it still holds, the use case asks. A GET whose function takes only ids of the path and one model of the
query is called directly: FastAPI's general way there was measured to cost more than the query itself. What
is accepted, refused and documented is the same either way.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, get_type_hints
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from sispat.domain.erros import DadosInvalidos
from sispat.usecases.entradas import Entrada
from sispat.web.porta import token_de

__all__ = ["RotaComSessao", "documentar"]

_ESQUEMA = "Sessão"

Atender = Callable[[Request], Coroutine[Any, Any, Response]]


class RotaComSessao(APIRoute):
    """A route that only answers to a session."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["openapi_extra"] = {"security": [{_ESQUEMA: []}], **(kwargs.get("openapi_extra") or {})}
        super().__init__(*args, **kwargs)

    def get_route_handler(self) -> Atender:
        """The handler behind the question for a token."""
        atender = _direto(self) or super().get_route_handler()

        async def perguntar(request: Request) -> Response:
            token_de(request)
            return await atender(request)

        return perguntar


def _direto(rota: APIRoute) -> Atender | None:
    """A handler that calls the function of a plain GET, or None where it takes anything else."""
    nomes = list(inspect.signature(rota.endpoint).parameters)
    tipos = get_type_hints(rota.endpoint)
    outros = [nome for nome in nomes if nome != "request"]
    modelos = [nome for nome in outros if inspect.isclass(tipos[nome]) and issubclass(tipos[nome], Entrada)]
    ids = [nome for nome in outros if tipos[nome] is UUID and nome in rota.param_convertors]
    if rota.methods != {"GET"} or len(modelos) + len(ids) != len(outros) or len(modelos) > 1:
        return None
    endpoint = rota.endpoint

    async def atender(request: Request) -> Response:
        argumentos: dict[str, Any] = {nome: _id(nome, request.path_params[nome]) for nome in ids}
        if modelos:
            argumentos[modelos[0]] = _ler(tipos[modelos[0]], request.scope["query_string"])
        resposta: Response = await endpoint(request=request, **argumentos)
        return resposta

    return atender


def _id(nome: str, texto: str) -> UUID:
    try:
        return UUID(texto)
    except ValueError:
        raise DadosInvalidos({nome: "O identificador deve ser um UUID."}) from None


@lru_cache(maxsize=512)
def _ler(modelo: type[Entrada], query: bytes) -> Entrada:
    """The model of a query string; models are frozen, so the same string may share one."""
    return modelo.ler(
        dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace"))
    )


def documentar(aplicacao: FastAPI) -> None:
    """Add the security scheme to the OpenAPI document."""
    gerar = aplicacao.openapi

    def com_sessao() -> dict[str, Any]:
        documento = gerar()
        esquemas = documento.setdefault("components", {}).setdefault("securitySchemes", {})
        esquemas[_ESQUEMA] = {
            "type": "http",
            "scheme": "bearer",
            "description": "O `token` de POST /api/auth/login; um navegador pode usar o cookie da sessão.",
        }
        return documento

    aplicacao.openapi = com_sessao  # type: ignore[method-assign]
