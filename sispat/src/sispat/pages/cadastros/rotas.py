"""The screens of the four registers, all of one shape."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from sispat.domain.erros import DadosInvalidos
from sispat.pages._formulario import mostrar, receber
from sispat.pages._historico import legivel
from sispat.pages._modelos import pagina
from sispat.pages._retomada import formulario
from sispat.pages.cadastros.descricao import CADASTROS, ENDERECO, Cadastro, campos
from sispat.pages.cadastros.telas import Edicao, Exclusao, Novo, acao_de
from sispat.usecases import cadastros
from sispat.usecases.contexto import Contexto
from sispat.usecases.entradas import Entrada, Legivel
from sispat.web.de_novo import RotaQueInsiste
from sispat.web.porta import Atendimento, servico_de

__all__ = ["rotas"]

MOSTRADOS = 500  # rows on one page; the rest is for the search

rotas = APIRouter(route_class=RotaQueInsiste)


class _Busca(Entrada):
    q: Annotated[str, Field(max_length=100), Legivel] = ""


def _rotas_de(cadastro: Cadastro) -> APIRouter:
    telas = APIRouter(prefix=cadastro.endereco, route_class=RotaQueInsiste)

    @telas.get("")
    async def listar(request: Request) -> Response:
        return await _listar(request, cadastro)

    @telas.get("/novo")
    async def novo(request: Request) -> Response:
        return await mostrar(request, Novo(cadastro, servico_de(request).cep))

    @formulario(telas, "/novo")
    async def criar(request: Request) -> Response:
        return await receber(request, Novo(cadastro, servico_de(request).cep))

    @telas.get("/{id_:uuid}")
    async def detalhe(request: Request) -> Response:
        return await _detalhe(request, cadastro)

    @telas.get("/{id_:uuid}/editar")
    async def edicao(request: Request) -> Response:
        return await mostrar(request, Edicao(cadastro, servico_de(request).cep, request.path_params["id_"]))

    @formulario(telas, "/{id_:uuid}/editar")
    async def editar(request: Request) -> Response:
        return await receber(request, Edicao(cadastro, servico_de(request).cep, request.path_params["id_"]))

    @telas.get("/{id_:uuid}/excluir")
    async def exclusao(request: Request) -> Response:
        return await mostrar(request, Exclusao(cadastro, servico_de(request).cep, request.path_params["id_"]))

    @formulario(telas, "/{id_:uuid}/excluir")
    async def excluir(request: Request) -> Response:
        return await receber(request, Exclusao(cadastro, servico_de(request).cep, request.path_params["id_"]))

    return telas


for _cadastro in CADASTROS:
    rotas.include_router(_rotas_de(_cadastro))


async def _listar(request: Request, cadastro: Cadastro) -> Response:
    q = request.query_params.get("q", "")
    linhas: list[dict[str, Any]] = []
    total, erro = 0, ""
    async with Atendimento(request) as ctx:
        request.state.acesso = ctx.acesso
        try:
            linhas = await cadastros.listar(ctx, cadastro.tipo, q=_Busca.ler({"q": q}).q)
        except DadosInvalidos as invalido:
            erro = next(iter(invalido.campos.values()))
        total, linhas = len(linhas), linhas[:MOSTRADOS]
        nomes = await _nomes(ctx, linhas)
    return pagina(
        request, "cadastros/lista.html", 422 if erro else 200,
        cadastro=cadastro, linhas=linhas, total=total, q=q, erro=erro, nomes=nomes, acao=acao_de(cadastro),
    )  # fmt: skip


async def _detalhe(request: Request, cadastro: Cadastro) -> Response:
    id_ = request.path_params["id_"]
    async with Atendimento(request) as ctx:
        request.state.acesso = ctx.acesso
        linha = await cadastros.obter(ctx, cadastro.tipo, id_)
        nomes = await _nomes(ctx, [linha])
        registros = await legivel(ctx, await cadastros.historico(ctx, cadastro.tipo, id_))
    return pagina(
        request, "cadastros/detalhe.html",
        cadastro=cadastro, linha=linha, nomes=nomes, registros=registros, acao=acao_de(cadastro),
        campos=[c for c in campos(cadastro.tipo, novo=True) if c.nome not in ENDERECO or linha[c.nome]],
    )  # fmt: skip


async def _nomes(ctx: Contexto, linhas: list[dict[str, Any]]) -> dict[UUID, str]:
    ids = {linha[c] for linha in linhas for c in ("setor_id", "pai_id") if linha.get(c)}
    return await cadastros.nomes(ctx, list(ids))
