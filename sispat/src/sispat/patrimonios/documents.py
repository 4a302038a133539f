"""The shapes the API sends of assets, for its documentation: PostgreSQL builds the documents themselves."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

from sispat.cadastros.documents import REFERENCES
from sispat.kernel.fields import Shape
from sispat.patrimonios.fields import PATRIMONIO

__all__ = ["Ficha", "Item", "Lista", "Lote", "Trocados"]

Item: Any = PATRIMONIO.document("Item", but=PATRIMONIO.unlisted, references=REFERENCES)
Ficha: Any = PATRIMONIO.document("Ficha", references=REFERENCES)


class Lista(Shape):
    """One page; `next` and `previous` go into `?cursor=`."""

    model_config = ConfigDict(extra="forbid")

    items: list[Item]
    next: str | None
    previous: str | None


class Lote(Shape):
    """What was registered at once, in the order in which it was sent."""

    model_config = ConfigDict(extra="forbid")

    items: list[Ficha]


class Trocados(Shape):
    """How many assets are in other custody now than before."""

    model_config = ConfigDict(extra="forbid")

    trocados: int
