"""The members of commissions in the database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

__all__ = ["MEMBERS", "Member", "agentes", "gravar_membros", "oferecidas"]

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


async def oferecidas(
    conn: AsyncConnection[Any], finalidades: Sequence[str], since: dt.date, until: dt.date, limit: int
) -> list[tuple[UUID, str, dt.date | None]]:
    """The commissions for these purposes that acted on a day of these: id, act, last day (None: none is known).

    Those that act on `until` first, the newest of each first.
    """
    sql = """with known as (select id, numero, portaria, least(fim, encerrada_em) as last from comissao
                            where finalidade = any(%(purposes)s) and inicio <= %(until)s)
             select id, portaria, last from known where last is null or last >= %(since)s
             order by coalesce(last >= %(until)s, true) desc, numero desc limit %(limit)s"""
    values = {"purposes": list(finalidades), "since": since, "until": until, "limit": limit}
    return await (await conn.execute(sql, values)).fetchall()
