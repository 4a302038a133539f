"""Signing in and out, for programs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from sispat.api.documentos import RESPOSTAS, Pessoa, SessaoAberta
from sispat.domain.permissoes import Acesso
from sispat.identity import tokens
from sispat.usecases import sessoes
from sispat.web.cookies import apagar_cookie, gravar_cookies, origem_de
from sispat.web.de_novo import RotaQueInsiste
from sispat.web.porta import Atendimento, servico_de, token_de
from sispat.web.respostas import json_de

__all__ = ["rotas"]

rotas = APIRouter(prefix="/api/auth", tags=["auth"], responses=RESPOSTAS, route_class=RotaQueInsiste)


def _pessoa(acesso: Acesso, csrf: str | None) -> dict[str, Any]:
    return {
        "id": acesso.usuario_id,
        "nome": acesso.nome,
        "email": acesso.email,
        "papel": acesso.papel,
        "setores": acesso.setores,
        "csrf": csrf,
    }


@rotas.post("/login", response_model=SessaoAberta, summary="Entrar")
async def login(request: Request, credenciais: sessoes.Credenciais) -> Response:
    """E-mail e senha; responde com a sessão como cookie e como `token` para `Authorization: Bearer`."""
    servico = servico_de(request)
    servico.exigir_aberto()
    aberta = await sessoes.entrar(servico.db, servico.guarda, credenciais, servico.validade, origem_de(request))
    resposta = json_de({"token": aberta.token, "usuario": _pessoa(aberta.acesso, tokens.csrf_para(aberta.token))})
    resposta.headers["Cache-Control"] = "no-store"
    gravar_cookies(request, resposta, aberta)
    return resposta


@rotas.post("/logout", status_code=204, summary="Sair")
async def logout(request: Request) -> Response:
    """Encerra a sessão na hora, em todos os processos."""
    async with Atendimento(request) as ctx:
        await sessoes.sair(ctx.conn, token_de(request)[0], ctx.acesso, ctx.requisicao)
    resposta = Response(status_code=204)
    apagar_cookie(request, resposta)
    return resposta


@rotas.get("/me", response_model=Pessoa, summary="Quem sou eu")
async def me(request: Request) -> Response:
    """A pessoa da sessão, e um token CSRF se ela veio por cookie."""
    async with Atendimento(request) as ctx:
        token, do_cookie = token_de(request)
        resposta = json_de(_pessoa(ctx.acesso, tokens.csrf_para(token) if do_cookie else None))
    resposta.headers["Cache-Control"] = "no-store"
    return resposta
