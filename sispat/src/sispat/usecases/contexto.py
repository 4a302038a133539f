"""What every use case is given: a connection, who asks, and under which request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from sispat.domain.permissoes import Acesso

__all__ = ["Contexto"]


@dataclass(frozen=True, slots=True)
class Contexto:
    """`requisicao` is the request id, written into the audit beside the person's id."""

    conn: AsyncConnection[Any]
    acesso: Acesso
    requisicao: str

    @property
    def ator(self) -> UUID:
        """Who goes into the audit."""
        return self.acesso.usuario_id
