"""Assets: list, export, card, forms."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sispat.domain.erros import DadosInvalidos
from sispat.pages import _formatos
from sispat.pages._cabecalhos import SEGURANCA
from sispat.pages._formulario import mostrar, receber
from sispat.pages._historico import legivel
from sispat.pages._modelos import pagina
from sispat.pages._retomada import formulario
from sispat.pages.patrimonios.busca import TETO, Busca, filtros
from sispat.pages.patrimonios.telas import Carga, Edicao, Novo
from sispat.usecases import patrimonios
from sispat.usecases.patrimonios import ListaDePatrimonios, Pagina
from sispat.web.de_novo import RotaQueInsiste
from sispat.web.exportacao import csv_de_patrimonios
from sispat.web.porta import Atendimento

__all__ = ["rotas"]

rotas = APIRouter(route_class=RotaQueInsiste)


@rotas.get("/patrimonios")
async def listar(request: Request) -> Response:
    """One page of the list; what cannot be searched for is said beside the search, which stays as it was."""
    busca = Busca(request.query_params)
    async with Atendimento(request) as ctx:
        request.state.acesso = ctx.acesso
        resultado, total, erros = Pagina([], None, None), 0, dict[str, str]()
        try:
            pedido = ListaDePatrimonios.ler(busca.valores)
            resultado = await patrimonios.listar(ctx, pedido)
            total = await patrimonios.contar(ctx, pedido, TETO)
        except DadosInvalidos as erro:
            erros = erro.campos
        campos = await filtros(ctx, busca.valores)
    return pagina(
        request,
        "patrimonios/lista.html",
        422 if erros else 200,
        bens=[orjson.loads(documento) for documento in resultado.documentos],
        resultado=resultado,
        total=total,
        teto=TETO,
        erros=erros,
        busca=busca,
        filtros=campos,
        novos=_novos(request.query_params.get("novos", "")),
    )


def _novos(texto: str) -> str:
    """The numbers just given, as the address of the page tells them."""
    achado = re.fullmatch(r"(\d{1,12})-(\d{1,12})", texto, re.ASCII)
    if achado is None:
        return ""
    primeiro, ultimo = int(achado[1]), int(achado[2])
    if primeiro >= ultimo:
        return ""
    mostrar_ = _formatos.numero_do_bem
    return f"{ultimo - primeiro + 1} bens cadastrados, de {mostrar_(primeiro)} a {mostrar_(ultimo)}."


@rotas.get("/patrimonios.csv")
async def exportar(request: Request) -> Response:
    """All that the list shows, with the same filters."""
    valores = {nome: valor for nome, valor in Busca(request.query_params).valores.items() if nome != "pagina"}
    resposta = await csv_de_patrimonios(request, ListaDePatrimonios.ler(valores))
    resposta.headers.update(SEGURANCA)
    return resposta


@rotas.get("/patrimonios/novo")
async def novo(request: Request) -> Response:
    """The form for a new asset."""
    return await mostrar(request, Novo())


@formulario(rotas, "/patrimonios/novo")
async def criar(request: Request) -> Response:
    """Register."""
    return await receber(request, Novo())


@rotas.get("/patrimonios/{id_:uuid}")
async def ficha(request: Request) -> Response:
    """The card, with what happened."""
    id_ = _id(request)
    async with Atendimento(request) as ctx:
        request.state.acesso = ctx.acesso
        bem: dict[str, Any] = orjson.loads(await patrimonios.obter(ctx, id_))
        registros = await legivel(ctx, await patrimonios.historico(ctx, id_))
    return pagina(request, "patrimonios/ficha.html", bem=bem, registros=registros)


@rotas.get("/patrimonios/{id_:uuid}/editar")
async def edicao(request: Request) -> Response:
    """The form to correct."""
    return await mostrar(request, Edicao(_id(request)))


@formulario(rotas, "/patrimonios/{id_:uuid}/editar")
async def editar(request: Request) -> Response:
    """Correct."""
    return await receber(request, Edicao(_id(request)))


@rotas.get("/patrimonios/{id_:uuid}/carga")
async def carga(request: Request) -> Response:
    """The form to hand over."""
    return await mostrar(request, Carga(_id(request)))


@formulario(rotas, "/patrimonios/{id_:uuid}/carga")
async def trocar_carga(request: Request) -> Response:
    """Hand over."""
    return await receber(request, Carga(_id(request)))


def _id(request: Request) -> UUID:
    id_: UUID = request.path_params["id_"]
    return id_
