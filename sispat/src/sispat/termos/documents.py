"""The shapes the API sends of termos, for its documentation."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from pydantic import ConfigDict

from sispat.cadastros.documents import REFERENCES
from sispat.http.documents import pages_of
from sispat.kernel.fields import Shape
from sispat.termos.fields import TERMO

__all__ = ["ListaDosTermos", "ParteDoTermo", "Termo"]

Termo: Any = TERMO.document("Termo", references=REFERENCES)
ListaDosTermos: Any = pages_of("ListaDosTermos", Termo)


class ParteDoTermo(Shape):
    """Who signs a termo, and what they signed."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    papel: str
    nome: str
    detalhe: str
    assinada_em: dt.datetime | None
    assinante: str | None
    endereco: str | None
    sha256: str | None
