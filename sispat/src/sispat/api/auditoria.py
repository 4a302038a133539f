"""The audit, for programs."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from sispat.api.documentos import RESPOSTAS, Evento
from sispat.api.rota import RotaComSessao
from sispat.usecases import auditoria
from sispat.web.porta import Atendimento
from sispat.web.respostas import json_de

__all__ = ["rotas"]

rotas = APIRouter(prefix="/api/auditoria", tags=["auditoria"], responses=RESPOSTAS, route_class=RotaComSessao)


@rotas.get("", response_model=list[Evento], summary="Últimos registros")
async def ultimos(request: Request, antes_de: int | None = None) -> Response:
    """Cem registros, do mais novo ao mais antigo; `antes_de` continua a partir de um id."""
    async with Atendimento(request) as ctx:
        return json_de(await auditoria.ultimos(ctx, antes_de))
