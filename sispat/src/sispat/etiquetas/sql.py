"""The assets that labels are for, by plate number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

__all__ = ["Etiqueta", "com_numeros"]


class Etiqueta(NamedTuple):
    """What a label says."""

    id: UUID
    numero: int
    descricao: str


async def com_numeros(
    conn: AsyncConnection[Any], setores: Sequence[UUID] | None, numeros: Sequence[int]
) -> list[Etiqueta]:
    """The assets within reach that have these plate numbers, in their order."""
    sql = """select id, numero, descricao from patrimonio
             where numero = any(%(numeros)s) and (%(setores)s::uuid[] is null or setor_id = any(%(setores)s))
             order by numero"""
    values = {"numeros": list(numeros), "setores": None if setores is None else list(setores)}
    return [Etiqueta(*row) for row in await (await conn.execute(sql, values, prepare=False)).fetchall()]
