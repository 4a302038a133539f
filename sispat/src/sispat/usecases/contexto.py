"""What every use case is given: a connection, who asks, and under which request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from sispat.domain.permissoes import Acesso

__all__ = ["Contexto", "Vez"]


class Vez:
    """A request's turn at the counter row, from `tomar` until its transaction is over.

    `fila` is this process' queue. The row admits one at a time anyway; waiting here instead of there was measured to
    create 2 to 3 times as many assets a second, because PostgreSQL wakes and re-checks every waiter. The wait is bounded
    by the pool's connections and their statement_timeout.
    """

    __slots__ = ("_fila", "_minha")

    def __init__(self, fila: asyncio.Lock | None = None) -> None:
        self._fila = fila or asyncio.Lock()
        self._minha = False

    async def tomar(self) -> None:
        """Wait for the turn; at once when it is ours already."""
        if not self._minha:
            await self._fila.acquire()
            self._minha = True

    def devolver(self) -> None:
        """Let the next one have it."""
        if self._minha:
            self._minha = False
            self._fila.release()


@dataclass(frozen=True, slots=True)
class Contexto:
    """`requisicao` is the request id, written into the audit beside the person's id."""

    conn: AsyncConnection[Any]
    acesso: Acesso
    requisicao: str
    vez: Vez = field(default_factory=Vez, compare=False)

    @property
    def ator(self) -> UUID:
        """Who goes into the audit."""
        return self.acesso.usuario_id
