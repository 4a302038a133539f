"""Blocks of signing in, for administrators' programs."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from sispat.api.documentos import RESPOSTAS
from sispat.api.rota import RotaComSessao
from sispat.usecases import bloqueios
from sispat.web.porta import Atendimento
from sispat.web.respostas import json_de

__all__ = ["rotas"]

rotas = APIRouter(prefix="/api/bloqueios", tags=["bloqueios"], responses=RESPOSTAS, route_class=RotaComSessao)


class Bloqueio(BaseModel):
    """Who may not try to sign in until `ate`; the person is null for an address or an account that does not exist."""

    id: UUID
    tipo: Literal["conta", "endereco", "navegador"]
    endereco: str | None
    usuario_id: UUID | None
    nome: str | None
    email: str | None
    desde: dt.datetime
    ate: dt.datetime


@rotas.get("", response_model=list[Bloqueio], summary="Bloqueios em vigor")
async def listar(request: Request) -> Response:
    """Quem não pode tentar entrar por ora, do mais novo ao mais antigo."""
    async with Atendimento(request) as ctx:
        linhas: list[dict[str, Any]] = await bloqueios.listar(ctx)
    return json_de(linhas)


@rotas.post("/{id_}/liberacao", status_code=204, summary="Liberar")
async def liberar(request: Request, id_: UUID) -> Response:
    """Encerra o bloqueio na hora, em todas as máquinas."""
    async with Atendimento(request) as ctx:
        await bloqueios.liberar(ctx, id_)
    return Response(status_code=204)
