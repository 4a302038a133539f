"""Addresses by CEP, for programs."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from sispat.api.documentos import RESPOSTAS
from sispat.api.rota import RotaComSessao
from sispat.cep import CepDesconhecido
from sispat.web.porta import Atendimento, servico_de
from sispat.web.respostas import json_de

__all__ = ["rotas"]

rotas = APIRouter(prefix="/api/cep", tags=["cep"], responses=RESPOSTAS, route_class=RotaComSessao)


class EnderecoDoCep(BaseModel):
    """`logradouro` and `bairro` are empty where the whole city has one CEP."""

    cep: str
    logradouro: str
    bairro: str
    cidade: str
    uf: str


@rotas.get("/{cep}", response_model=EnderecoDoCep, summary="Consultar CEP")
async def consultar(request: Request, cep: str) -> Response:
    """O endereço de um CEP, em até um segundo; 503 quando ninguém sabe dizer: o endereço pode ser digitado à mão."""
    async with Atendimento(request):
        pass  # the session only: no connection is held while somebody else's computer thinks
    endereco = await servico_de(request).cep.consultar(cep)
    if endereco is None:
        raise CepDesconhecido(cep)
    return json_de(asdict(endereco))
