"""Setores, locais, agentes, classes, for programs: four resources of one shape."""

# No `from __future__ import annotations` here: FastAPI must see the entry types, which are local names.

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, create_model

from sispat.api.documentos import RESPOSTAS
from sispat.api.rota import COM_CHAVE, COM_VERSAO, RotaComSessao
from sispat.usecases import cadastros
from sispat.usecases.entradas import Entrada
from sispat.web.porta import Atendimento
from sispat.web.respostas import com_etag, json_de, versao_exigida
from sispat.web.uma_vez import resumo_do_pedido, uma_vez

__all__ = ["rotas"]

PLURAIS = {"setor": "setores", "local": "locais", "agente": "agentes", "classe": "classes"}
Busca = Annotated[str, Query(max_length=100)]


def _documento(tipo: str, entrada: type[Entrada]) -> type[BaseModel]:
    """The stored row, for the documentation: what is typed, and id and version."""
    campos: dict[str, Any] = {nome: (campo.annotation, ...) for nome, campo in entrada.model_fields.items()}
    return create_model(f"{tipo.capitalize()}Gravado", id=(UUID, ...), versao=(int, ...), **campos)


def _acrescentar(recurso: APIRouter, tipo: str, entrada: type[Entrada]) -> None:
    plural = PLURAIS[tipo]
    raiz = f"/api/{plural}"
    gravado = _documento(tipo, entrada)

    @recurso.get(raiz, tags=[plural], response_model=list[gravado], summary="Listar", name=f"listar_{plural}")  # type: ignore[valid-type]
    async def listar(request: Request, q: Busca = "", setor: UUID | None = None, ativos: bool = False) -> Response:
        async with Atendimento(request) as ctx:
            return json_de(await cadastros.listar(ctx, tipo, q=q, setor_id=setor, ativos=ativos))

    @recurso.get(raiz + "/{id_}", tags=[plural], response_model=gravado, summary="Obter", name=f"obter_{tipo}")
    async def obter(request: Request, id_: UUID) -> Response:
        async with Atendimento(request) as ctx:
            linha = await cadastros.obter(ctx, tipo, id_)
        return com_etag(request, bytes(json_de(linha).body), linha["versao"])

    @recurso.post(
        raiz,
        tags=[plural],
        status_code=201,
        response_model=gravado,
        summary="Criar",
        openapi_extra=COM_CHAVE,
        name=f"criar_{tipo}",
    )
    async def criar(request: Request, dados: entrada) -> Response:  # type: ignore[valid-type]
        chave = request.headers.get("idempotency-key")
        pedido = resumo_do_pedido("POST", request.url.path, await request.body())
        async with Atendimento(request) as ctx:

            async def fazer() -> Response:
                linha = await cadastros.criar(ctx, tipo, dados)
                return json_de(linha, 201, Location=f"/api/{plural}/{linha['id']}")

            return await uma_vez(ctx, chave, pedido, fazer)

    @recurso.put(
        raiz + "/{id_}",
        tags=[plural],
        response_model=gravado,
        summary="Editar",
        openapi_extra=COM_VERSAO,
        name=f"editar_{tipo}",
    )
    async def editar(request: Request, id_: UUID, dados: entrada) -> Response:  # type: ignore[valid-type]
        async with Atendimento(request) as ctx:
            linha = await cadastros.editar(ctx, tipo, id_, dados, versao_exigida(request))
        return com_etag(request, bytes(json_de(linha).body), linha["versao"])

    @recurso.delete(
        raiz + "/{id_}",
        tags=[plural],
        status_code=204,
        summary="Excluir",
        openapi_extra=COM_VERSAO,
        name=f"excluir_{tipo}",
    )
    async def excluir(request: Request, id_: UUID) -> Response:
        async with Atendimento(request) as ctx:
            await cadastros.excluir(ctx, tipo, id_, versao_exigida(request))
        return Response(status_code=204)


rotas = APIRouter(responses=RESPOSTAS, route_class=RotaComSessao)
for _tipo, _entrada in cadastros.ENTRADAS.items():
    _acrescentar(rotas, _tipo, _entrada)
