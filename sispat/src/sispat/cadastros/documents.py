"""The shapes the API sends of the registers, and of what refers to them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import ConfigDict

from sispat.cadastros.fields import ENTITIES
from sispat.kernel.fields import Shape

__all__ = ["LISTED", "REFERENCES", "STORED", "EnderecoDoCep", "ReferenciaAgente"]


class Referencia(Shape):
    """Another record, by id and name."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    nome: str


class ReferenciaSetor(Referencia):
    """A setor."""

    codigo: str


class ReferenciaAgente(Referencia):
    """An agente."""

    matricula: str


class ReferenciaNumerada(Referencia):
    """A record that people know by its number."""

    numero: int


# What the generated column `referencia` of each register holds, and what `kernel.record_sql` makes of other records.
REFERENCES = {
    "setor": ReferenciaSetor, "local": Referencia, "agente": ReferenciaAgente, "classe": Referencia, "usuario": Referencia,
    "patrimonio": ReferenciaNumerada, "imovel": ReferenciaNumerada, "comissao": ReferenciaNumerada,
    "inventario": ReferenciaNumerada,
}  # fmt: skip
STORED: dict[str, Any] = {name: entity.document(f"{name.capitalize()}Gravado") for name, entity in ENTITIES.items()}
LISTED: dict[str, Any] = {
    name: entity.document(f"{name.capitalize()}Listado", but=("criado_em", "atualizado_em"))
    for name, entity in ENTITIES.items()
}


class EnderecoDoCep(Shape):
    """`logradouro` and `bairro` are empty where the whole city has one CEP."""

    cep: str
    logradouro: str
    bairro: str
    cidade: str
    uf: str
