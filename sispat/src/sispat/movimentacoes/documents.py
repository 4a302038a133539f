"""The shapes the API sends of movements, for its documentation: PostgreSQL builds the documents themselves."""

from __future__ import annotations

from typing import Any

from sispat.cadastros.documents import REFERENCES
from sispat.http.documents import pages_of
from sispat.kernel.fields import Entity
from sispat.movimentacoes.fields import ItemDeTransferencia
from sispat.movimentacoes.kinds import KINDS

__all__ = ["DOCUMENTS", "ItensDaTransferencia"]

DOCUMENTS: dict[str, Any] = {
    kind.entity.name: kind.entity.document(kind.entity.name.capitalize(), references=REFERENCES) for kind in KINDS
}
_Item: Any = Entity("item", "Item", given=ItemDeTransferencia).document("BemDaTransferencia", references=REFERENCES)
ItensDaTransferencia: Any = pages_of("BensDaTransferencia", _Item)
