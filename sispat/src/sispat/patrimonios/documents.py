"""The shapes the API sends of assets, for its documentation: PostgreSQL builds the documents themselves."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from sispat.cadastros.documents import REFERENCES
from sispat.patrimonios.fields import PATRIMONIO

__all__ = ["Ficha", "Item", "Lista", "Trocados"]

Item: Any = PATRIMONIO.document("Item", but=PATRIMONIO.unlisted, references=REFERENCES)
Ficha: Any = PATRIMONIO.document("Ficha", references=REFERENCES)


class Lista(BaseModel):
    """One page; `proxima` and `anterior` go into `?pagina=`."""

    model_config = ConfigDict(extra="forbid")

    itens: list[Item]
    proxima: str | None
    anterior: str | None


class Trocados(BaseModel):
    """How many assets are in other custody now than before."""

    model_config = ConfigDict(extra="forbid")

    trocados: int
