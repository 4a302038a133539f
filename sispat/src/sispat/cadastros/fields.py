"""What setores, locais, agentes and classes have."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field

from sispat.kernel.inputs import BlankIsNone, Cep, Cpf, Input, Legible, Uf

__all__ = ["INPUTS", "Agente", "Classe", "ListaDeCadastro", "Local", "Setor"]

Nome = Annotated[str, Field(min_length=1, max_length=120), Legible]


class Setor(Input):
    """A unit of the city hall."""

    codigo: Annotated[str, Field(pattern=r"^[0-9A-Z][0-9A-Z.\-]{0,19}$", examples=["SEMED"]), Legible]
    nome: Nome
    pai_id: Annotated[UUID | None, BlankIsNone] = None
    ativo: bool = True


class Local(Input):
    """A room or place of one setor; it stays with that setor. The address is optional, and so is each part of it."""

    setor_id: UUID
    nome: Nome
    ativo: bool = True
    cep: Cep = ""
    logradouro: Annotated[str, Field(max_length=200), Legible] = ""
    numero: Annotated[str, Field(max_length=20), Legible] = ""
    complemento: Annotated[str, Field(max_length=100), Legible] = ""
    bairro: Annotated[str, Field(max_length=200), Legible] = ""
    cidade: Annotated[str, Field(max_length=200), Legible] = ""
    uf: Uf = ""


class Agente(Input):
    """A person who can answer for assets (Lei 4.320/64, art. 94)."""

    nome: Nome
    matricula: Annotated[str, Field(pattern=r"^[0-9A-Z.\-]{1,20}$", examples=["12345-6"]), Legible]
    cargo: Annotated[str, Field(max_length=120), Legible] = ""
    setor_id: UUID
    cpf: Annotated[Cpf | None, BlankIsNone] = None
    ativo: bool = True


class Classe(Input):
    """An account of assets with its useful life."""

    conta: Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){0,8}$", examples=["1.2.3.1.1.03.01"]), Legible]
    nome: Nome
    vida_util_meses: Annotated[int, Field(ge=1, le=1200)]
    residual_pct: Annotated[Decimal, Field(ge=0, le=100, max_digits=5, decimal_places=2)]
    depreciavel: bool = True
    ativo: bool = True


INPUTS: dict[str, type[Input]] = {"setor": Setor, "local": Local, "agente": Agente, "classe": Classe}


class ListaDeCadastro(Input):
    """What the list of a register may be asked for."""

    q: Annotated[str, Field(max_length=100), Legible] = ""
    setor: Annotated[UUID | None, BlankIsNone] = None
    ativos: bool = False
