"""The shapes the API sends of closed months and of the depreciation of an asset, for its documentation."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import ConfigDict

from sispat.cadastros.documents import REFERENCES
from sispat.depreciacao.fields import FECHAMENTO, LANCAMENTO, LINHA, SOMA
from sispat.depreciacao.rules import Component, EntryKind
from sispat.http.documents import pages_of
from sispat.kernel.fields import Shape

__all__ = [
    "AnosDaConta", "DepreciacaoDoBem", "FechamentoGravado", "Lancamentos", "Linha", "Linhas", "Pedido", "Soma",
]  # fmt: skip

Linha: Any = LINHA.document("LinhaDaDepreciacao")
FechamentoGravado: Any = FECHAMENTO.document("FechamentoGravado", references=REFERENCES)
Linhas: Any = pages_of("LinhasDoFechamento", Linha)
Soma: Any = SOMA.document("SomaDaConta")
Lancamentos: Any = pages_of("LancamentosDoFechamento", LANCAMENTO.document("LancamentoDoBem"))


class Lancamento(Shape):
    """A movement of one component of an account."""

    model_config = ConfigDict(extra="forbid")

    competencia: dt.date
    conta: str
    especie: EntryKind
    componente: Component
    valor: Decimal


class Plano(Shape):
    """How an asset depreciates now."""

    model_config = ConfigDict(extra="forbid")

    deprecia: bool
    valor: Decimal
    residual: Decimal
    meses: int
    desde: dt.date


class AnoAdiante(Shape):
    """What a year will take of it."""

    model_config = ConfigDict(extra="forbid")

    ano: int
    depreciacao: Decimal
    liquido: Decimal


class DepreciacaoDoBem(Shape):
    """The closed months of an asset, newest first, and what lies ahead."""

    model_config = ConfigDict(extra="forbid")

    plano: Plano
    meses: list[Any]
    lancamentos: list[Lancamento]
    adiante: list[AnoAdiante]


class Pedido(Shape):
    """The job that closes a month."""

    model_config = ConfigDict(extra="forbid")

    tarefa_id: UUID


class AnosDaConta(Shape):
    """What a year takes of an account."""

    model_config = ConfigDict(extra="forbid")

    conta: str
    nome: str
    ano: int
    bens: int
    depreciacao: Decimal
    liquido: Decimal
