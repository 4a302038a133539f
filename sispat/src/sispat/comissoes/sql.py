"""The members of commissions in the database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

__all__ = ["MEMBERS", "Member", "agentes", "gravar_membros", "vigentes"]

# The members of `m`, in their order, as JSON.
MEMBERS = """(select coalesce(json_agg(json_build_object('id', a.id, 'nome', a.nome, 'matricula', a.matricula)
    order by c.ordem), '[]')::text from comissao_membro c join agente a on a.id = c.agente_id where c.comissao_id = m.id)"""


class Member(NamedTuple):
    """An agente who may be a member."""

    id: UUID
    nome: str
    matricula: str
    ativo: bool


async def agentes(conn: AsyncConnection[Any], matriculas: Sequence[str]) -> list[Member]:
    """The agentes with these matrículas, in their order."""
    sql = """select a.id, a.nome, a.matricula, a.ativo from unnest(%s::text[]) with ordinality asked (matricula, place)
             join agente a using (matricula) order by asked.place"""
    return [Member(*row) for row in await (await conn.execute(sql, [list(matriculas)])).fetchall()]


async def gravar_membros(conn: AsyncConnection[Any], id_: UUID, members: Sequence[UUID]) -> None:
    """Make these the members of a commission that is locked or new."""
    await conn.execute("delete from comissao_membro where comissao_id = %s", [id_])
    await conn.execute(
        "insert into comissao_membro (comissao_id, agente_id, ordem) select %s, * from unnest(%s::uuid[]) with ordinality",
        [id_, list(members)],
    )


async def vigentes(
    conn: AsyncConnection[Any], finalidades: Sequence[str], day: dt.date, limit: int
) -> list[tuple[UUID, str]]:
    """The newest commissions that act for these purposes on this day: id and act."""
    sql = """select id, portaria from comissao where finalidade = any(%s) and encerrada_em is null
             and inicio <= %s and coalesce(fim, %s) >= %s order by numero desc limit %s"""
    return await (await conn.execute(sql, [list(finalidades), day, day, day, limit])).fetchall()
