"""The shapes the API sends of movements, for its documentation: PostgreSQL builds the documents themselves."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, create_model

from sispat.cadastros.documents import REFERENCES
from sispat.kernel.fields import Entity
from sispat.movimentacoes.fields import BAIXA, EMPRESTIMO, MANUTENCAO, TRANSFERENCIA, ItemDeTransferencia

__all__ = ["DOCUMENTS", "ItensDaTransferencia", "made_of", "pages_of"]


class ReferenciaUsuario(BaseModel):
    """Somebody with an account."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    nome: str


class ReferenciaBem(BaseModel):
    """An asset, by its plate number and what it is."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    numero: int
    nome: str


_REFERENCES = {**REFERENCES, "usuario": ReferenciaUsuario, "patrimonio": ReferenciaBem}
DOCUMENTS: dict[str, Any] = {
    entity.name: entity.document(entity.name.capitalize(), references=_REFERENCES)
    for entity in (TRANSFERENCIA, EMPRESTIMO, MANUTENCAO, BAIXA)
}
_Item: Any = Entity("item", "Item", given=ItemDeTransferencia).document("BemDaTransferencia", references=_REFERENCES)


def pages_of(name: str, document: Any) -> Any:
    """One page of a list; `next` goes into `?cursor=`."""
    return create_model(
        name, __config__=ConfigDict(extra="forbid"), items=(list[document], ...), next=(str | None, ...),
        previous=(str | None, ...),
    )  # fmt: skip


def made_of(name: str, document: Any) -> Any:
    """What was made at once."""
    return create_model(name, __config__=ConfigDict(extra="forbid"), items=(list[document], ...))


ItensDaTransferencia: Any = pages_of("BensDaTransferencia", _Item)
