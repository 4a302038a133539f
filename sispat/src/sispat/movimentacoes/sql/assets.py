"""The assets that a movement is about, locked until the transaction ends."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

__all__ = ["Asset", "take_time", "travar"]


class Asset(NamedTuple):
    """A locked asset."""

    id: UUID
    numero: int
    situacao: str
    setor_id: UUID
    local_id: UUID
    agente_id: UUID
    valor: Decimal
    posse: str


async def take_time(conn: AsyncConnection[Any]) -> None:
    """Let each statement of this transaction run 30 s: thousands of assets take seconds, on a busy machine ten times that."""
    await conn.execute("set local statement_timeout = '30s'")


async def travar(
    conn: AsyncConnection[Any],
    setores: Sequence[UUID] | None,
    *,
    numeros: Sequence[int] | None = None,
    agente_id: UUID | None = None,
    most: int,
) -> list[Asset]:
    """Lock the assets within reach that have these plate numbers, or that this agente has: at most `most`."""
    which, value = ("numero = any(%s)", list(numeros)) if numeros else ("agente_id = %s", agente_id)
    # The lock is taken above the sort, hence in its order: that of kernel.states.
    sql = f"""select id, numero, situacao, setor_id, local_id, agente_id, valor, posse from patrimonio
              where {which} and situacao <> 'baixado' and (%s::uuid[] is null or setor_id = any(%s))
              order by id limit %s for no key update"""
    within = None if setores is None else list(setores)
    cursor = await conn.execute(sql, [value, within, within, most], prepare=False)
    return [Asset(*row) for row in await cursor.fetchall()]
