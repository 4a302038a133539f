"""The newest records of all, walked by key."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from sispat.pages._historico import legivel
from sispat.pages._modelos import pagina
from sispat.usecases import auditoria
from sispat.usecases.entradas import Entrada, Opcional
from sispat.web.de_novo import RotaQueInsiste
from sispat.web.porta import Atendimento

__all__ = ["rotas"]

rotas = APIRouter(route_class=RotaQueInsiste)


class _Pedido(Entrada):
    antes_de: Annotated[int | None, Field(ge=1, le=2**63 - 1), Opcional] = None


@rotas.get("/auditoria")
async def listar(request: Request) -> Response:
    """A hundred records below `antes_de`."""
    pedido = _Pedido.ler({"antes_de": request.query_params.get("antes_de")})
    async with Atendimento(request) as ctx:
        request.state.acesso = ctx.acesso
        registros = await legivel(ctx, await auditoria.ultimos(ctx, pedido.antes_de))
    return pagina(request, "auditoria/lista.html", registros=registros, continuacao=pedido.antes_de is not None)
