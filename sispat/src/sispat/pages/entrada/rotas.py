"""Signing in and out."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sispat.domain.erros import NaoAutenticado, PedidoForjado
from sispat.identity import tokens
from sispat.pages._envio import ler_envio
from sispat.pages._modelos import ir_para
from sispat.pages._retomada import Reapresentacao, caminho_local, carregado, retomavel
from sispat.pages.entrada.tela import PRE_SESSAO, tela_de_entrada
from sispat.usecases import sessoes
from sispat.web.cookies import apagar_cookie, gravar_cookies, origem_de
from sispat.web.de_novo import RotaQueInsiste
from sispat.web.porta import Atendimento, servico_de, token_de

__all__ = ["rotas"]

rotas = APIRouter(route_class=RotaQueInsiste)


@rotas.get("/entrar")
async def mostrar(request: Request) -> Response:
    """The form; needs no database."""
    return tela_de_entrada(request)


@rotas.post("/entrar")
async def entrar(request: Request) -> Response:
    """Open a session; then the page asked for before, or the form that was being filled in."""
    envio = await ler_envio(request)
    if not tokens.csrf_confere(request.cookies.get(PRE_SESSAO, ""), envio.csrf):
        raise PedidoForjado
    servico = servico_de(request)
    servico.exigir_aberto()
    aberta = await sessoes.entrar(
        servico.db,
        servico.guarda,
        sessoes.Credenciais.ler({nome: envio.valores.get(nome, "") for nome in ("email", "password")}),
        servico.validade,
        origem_de(request),
    )
    proximo = caminho_local(envio.valores.get("proximo", "/"))
    digitado = carregado(envio)
    if digitado and retomavel(proximo):
        return Reapresentacao(request, proximo, digitado, aberta)
    resposta = ir_para(proximo)
    gravar_cookies(request, resposta, aberta)
    return resposta


@rotas.post("/sair")
async def sair(request: Request) -> Response:
    """End the session; one that has ended already is no error."""
    envio = await ler_envio(request)
    with suppress(NaoAutenticado):
        async with Atendimento(request, csrf=envio.csrf) as ctx:
            await sessoes.sair(ctx.conn, token_de(request)[0], ctx.acesso, ctx.requisicao)
    resposta = ir_para("/entrar")
    apagar_cookie(request, resposta)
    return resposta
