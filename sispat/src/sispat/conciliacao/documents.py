"""The shapes the API sends of reconciliations, for its documentation."""

from __future__ import annotations

from typing import Any

from sispat.cadastros.documents import REFERENCES
from sispat.conciliacao.fields import CONCILIACAO, CONTA

__all__ = ["ConciliacaoGravada", "ContaConciliada"]

ConciliacaoGravada: Any = CONCILIACAO.document("ConciliacaoGravada", references=REFERENCES)
ContaConciliada: Any = CONTA.document("ContaConciliada")
