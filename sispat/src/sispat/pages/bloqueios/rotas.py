"""Blocks of signing in: seen and lifted by administrators."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sispat.pages._envio import ler_envio
from sispat.pages._modelos import ir_para, pagina
from sispat.usecases import bloqueios
from sispat.web.porta import Atendimento

__all__ = ["rotas"]

rotas = APIRouter(prefix="/bloqueios")


@rotas.get("")
async def listar(request: Request) -> Response:
    """What is blocked now."""
    async with Atendimento(request) as ctx:
        request.state.acesso = ctx.acesso
        linhas = await bloqueios.listar(ctx)
    return pagina(request, "bloqueios/lista.html", linhas=linhas)


@rotas.post("/{id_:uuid}/liberar")
async def liberar(request: Request) -> Response:
    """Lift one; then the list."""
    envio = await ler_envio(request)
    async with Atendimento(request, csrf=envio.csrf) as ctx:
        request.state.acesso = ctx.acesso
        await bloqueios.liberar(ctx, request.path_params["id_"])
    return ir_para("/bloqueios", feito="liberado")
