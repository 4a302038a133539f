"""How a request reaches its function.

Promises: without any session token the answer is 401, before a body is looked at; whose token it is, and
whether it still holds, the use case asks. A function that takes only ids of the path and one `Entrada` - of the
query for GET, of the JSON body otherwise - is called directly: FastAPI's general way there was measured to cost
more than the query itself. What is accepted, refused and documented is the same either way. A function whose
database went away under it is run again (`web/de_novo.py`).
"""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any, get_type_hints
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute

from sispat.domain.erros import DadosInvalidos
from sispat.usecases.entradas import Entrada
from sispat.web.de_novo import Atender, insistir
from sispat.web.porta import token_de

__all__ = ["COM_CHAVE", "COM_VERSAO", "ESQUEMA", "RotaComSessao"]

ESQUEMA = "Sessão"


def _cabecalho(nome: str, descricao: str) -> dict[str, Any]:
    return {"name": nome, "in": "header", "required": False, "description": descricao, "schema": {"type": "string"}}


# Headers that functions read from the request, for the documentation.
COM_CHAVE = {"parameters": [_cabecalho("Idempotency-Key", "O mesmo pedido repetido vale uma vez só")]}
COM_VERSAO = {"parameters": [_cabecalho("If-Match", 'A versão lida, como `"3"` ou o ETag inteiro')]}


class RotaComSessao(APIRoute):
    """A route that only answers to a session."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["openapi_extra"] = {"security": [{ESQUEMA: []}], **(kwargs.get("openapi_extra") or {})}
        super().__init__(*args, **kwargs)

    def get_route_handler(self) -> Atender:
        """The handler behind the question for a token."""
        atender = insistir(_direto(self) or super().get_route_handler())

        async def perguntar(request: Request) -> Response:
            token_de(request)
            return await atender(request)

        return perguntar


def _direto(rota: APIRoute) -> Atender | None:
    """A handler that calls a plain function, or None where it takes anything else."""
    tipos = get_type_hints(rota.endpoint)
    outros = [nome for nome in inspect.signature(rota.endpoint).parameters if nome != "request"]
    modelos = [nome for nome in outros if inspect.isclass(tipos[nome]) and issubclass(tipos[nome], Entrada)]
    ids = [nome for nome in outros if tipos[nome] is UUID and nome in rota.param_convertors]
    if len(modelos) + len(ids) != len(outros) or len(modelos) > 1:
        return None
    endpoint, da_query = rota.endpoint, rota.methods == {"GET"}

    async def atender(request: Request) -> Response:
        argumentos: dict[str, Any] = {nome: _id(nome, request.path_params[nome]) for nome in ids}
        for nome in modelos:
            if da_query:
                argumentos[nome] = _ler(tipos[nome], request.scope["query_string"])
            else:
                argumentos[nome] = tipos[nome].ler(_corpo(request, await request.body()))
        resposta: Response = await endpoint(request=request, **argumentos)
        return resposta

    return atender


def _corpo(request: Request, corpo: bytes) -> dict[str, Any]:
    tipo = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if tipo != "application/json" and not tipo.endswith("+json"):
        raise DadosInvalidos({"corpo": "Envie um objeto JSON, com Content-Type: application/json."})
    try:
        valor = orjson.loads(corpo)
    except orjson.JSONDecodeError as erro:
        raise DadosInvalidos({"corpo": f"O corpo não é JSON válido (em UTF-8): {erro}."}) from None
    if not isinstance(valor, dict):
        raise DadosInvalidos({"corpo": "Envie um objeto JSON."})
    return valor


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
