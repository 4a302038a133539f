"""What every use case is given: a connection, who asks, and under which request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from sispat.domain.permissoes import Acesso

__all__ = ["Contexto"]


@dataclass(frozen=True, slots=True)
class Contexto:
    """`requisicao` is the request id, written into the audit beside the person's id.

    `fila_de_numeros` is this process' queue for the counter row. The row admits one at a time anyway; waiting here
    instead of there was measured to create 2 to 3 times as many assets a second, because PostgreSQL wakes and
    re-checks every waiter. The wait is bounded by the pool's connections and their statement_timeout.
    """

    conn: AsyncConnection[Any]
    acesso: Acesso
    requisicao: str
    fila_de_numeros: asyncio.Lock = field(default_factory=asyncio.Lock, compare=False)

    @property
    def ator(self) -> UUID:
        """Who goes into the audit."""
        return self.acesso.usuario_id
