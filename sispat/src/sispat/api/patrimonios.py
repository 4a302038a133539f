"""Assets, for programs."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request, Response

from sispat.api.documentos import RESPOSTAS, Evento, Ficha, Lista
from sispat.api.rota import COM_CHAVE, COM_VERSAO, RotaComSessao
from sispat.usecases import patrimonios
from sispat.web.exportacao import csv_de_patrimonios
from sispat.web.porta import Atendimento
from sispat.web.respostas import com_etag, json_de, json_pagina, versao_exigida
from sispat.web.uma_vez import resumo_do_pedido, uma_vez

__all__ = ["rotas"]

rotas = APIRouter(prefix="/api/patrimonios", tags=["patrimonios"], responses=RESPOSTAS, route_class=RotaComSessao)


@rotas.get("", response_model=Lista, summary="Listar")
async def listar(request: Request, pedido: Annotated[patrimonios.ListaDePatrimonios, Query()]) -> Response:
    """Busca por palavras ou número, filtros, ordem; páginas por chave (`proxima`, `anterior`)."""
    async with Atendimento(request) as ctx:
        pagina = await patrimonios.listar(ctx, pedido)
    return com_etag(request, json_pagina(pagina))


@rotas.get(".csv", summary="Exportar em CSV", response_class=Response)
async def exportar(request: Request, pedido: Annotated[patrimonios.ListaDePatrimonios, Query()]) -> Response:
    """Tudo o que a lista mostra, com os mesmos filtros, em CSV (UTF-8, ponto e vírgula)."""
    return await csv_de_patrimonios(request, pedido)


@rotas.get("/{id_}", response_model=Ficha, summary="Obter")
async def obter(request: Request, id_: UUID) -> Response:
    """A ficha inteira; o ETag serve em If-None-Match e em If-Match."""
    async with Atendimento(request) as ctx:
        documento = await patrimonios.obter(ctx, id_)
    return _ficha(request, documento)


@rotas.get("/{id_}/historico", response_model=list[Evento], summary="Histórico")
async def historico(request: Request, id_: UUID) -> Response:
    """O que aconteceu com o bem, do mais novo ao mais antigo."""
    async with Atendimento(request) as ctx:
        return json_de(await patrimonios.historico(ctx, id_))


@rotas.post("", status_code=201, response_model=Ficha, summary="Cadastrar", openapi_extra=COM_CHAVE)
async def criar(request: Request, dados: patrimonios.NovoPatrimonio) -> Response:
    """Um bem, ou `quantidade` iguais com números consecutivos (a resposta é o primeiro; `X-Numeros` diz todos)."""
    chave = request.headers.get("idempotency-key")
    pedido = resumo_do_pedido("POST", request.url.path, await request.body()) if chave else b""
    async with Atendimento(request) as ctx:

        async def fazer() -> Response:
            documentos = await patrimonios.criar(ctx, dados)
            return _criado(documentos)

        return await uma_vez(ctx, chave, pedido, fazer)


@rotas.put("/{id_}", response_model=Ficha, summary="Editar", openapi_extra=COM_VERSAO)
async def editar(request: Request, id_: UUID, dados: patrimonios.EdicaoDePatrimonio) -> Response:
    """Corrige a descrição do bem; exige If-Match com a versão lida (409 mostra as duas versões)."""
    async with Atendimento(request) as ctx:
        documento = await patrimonios.editar(ctx, id_, dados, versao_exigida(request))
    return _ficha(request, documento)


@rotas.put("/{id_}/carga", response_model=Ficha, summary="Trocar a carga", openapi_extra=COM_VERSAO)
async def trocar_carga(request: Request, id_: UUID, dados: patrimonios.TrocaDeCarga) -> Response:
    """Muda o responsável, o local ou o setor; exige If-Match com a versão lida."""
    async with Atendimento(request) as ctx:
        documento = await patrimonios.trocar_carga(ctx, id_, dados, versao_exigida(request))
    return _ficha(request, documento)


def _ficha(request: Request, documento: str) -> Response:
    corpo = documento.encode()
    return com_etag(request, corpo, orjson.loads(corpo)["versao"])


def _criado(documentos: list[str]) -> Response:
    primeiro = orjson.loads(documentos[0])
    numeros = f"{primeiro['numero']}-{primeiro['numero'] + len(documentos) - 1}"
    cabecalhos = {"Location": f"/api/patrimonios/{primeiro['id']}", "X-Numeros": numeros, "Cache-Control": "no-store"}
    return Response(documentos[0], 201, cabecalhos, "application/json")
