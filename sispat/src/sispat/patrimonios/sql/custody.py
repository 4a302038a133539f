"""Custody of many assets at once.

Promises: the rows are locked in the order of their ids, so that two changes of the same assets wait for each other and never
deadlock; what is changed and what is audited are one statement, one record for each asset that changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from sispat.kernel.audit import Author
from sispat.patrimonios.sql.query import Query, conditions

__all__ = ["Travado", "passar_toda_a_carga", "travar", "trocar_cargas"]


class Travado(NamedTuple):
    """An asset that is locked until the transaction ends."""

    id: UUID
    numero: int
    situacao: str


async def travar(
    conn: AsyncConnection[Any], setores: Sequence[UUID] | None, chosen: Query | Sequence[int], most: int
) -> list[Travado]:
    """Lock the assets that `chosen` finds (a query, or plate numbers) within reach: at most `most`."""
    if isinstance(chosen, Query):
        where, values = conditions(chosen)
    else:
        where, values = ["p.numero = any(%s)"], [list(chosen)]
        if setores is not None:
            where.append("p.setor_id = any(%s)")
            values.append(list(setores))
    # The lock is taken above the sort, hence in its order. "No key": rows that refer to the asset are not kept waiting.
    sql = f"""select p.id, p.numero, p.situacao from patrimonio p
              where {" and ".join(where) or "true"} order by p.id limit %s for no key update"""
    return [Travado(*row) for row in await (await conn.execute(sql, [*values, most], prepare=False)).fetchall()]


_CHANGE = """
with old as (
    select id, setor_id, local_id, agente_id from patrimonio where id = any(%(ids)s)
), new as (
    update patrimonio p set
        setor_id = coalesce(%(setor_id)s, p.setor_id), local_id = coalesce(%(local_id)s, p.local_id),
        agente_id = coalesce(%(agente_id)s, p.agente_id), versao = p.versao + 1, atualizado_em = now()
    from old
    where p.id = old.id and (coalesce(%(setor_id)s, p.setor_id), coalesce(%(local_id)s, p.local_id),
                             coalesce(%(agente_id)s, p.agente_id)) <> (p.setor_id, p.local_id, p.agente_id)
    returning p.id, p.setor_id, p.local_id, p.agente_id
)
insert into evento (ator_id, chave_id, requisicao, entidade, entidade_id, acao, antes, depois)
select %(actor)s, %(key_id)s, %(request_id)s, 'patrimonio', id, 'trocar_carga', to_jsonb(old) - 'id', to_jsonb(new) - 'id'
from old join new using (id)"""


async def trocar_cargas(
    conn: AsyncConnection[Any], ids: Sequence[UUID], to: dict[str, UUID | None], author: Author
) -> int:
    """Change setor, local and agente of locked assets, where given; how many were not so already."""
    values = {**to, "ids": list(ids), **author._asdict()}
    return (await conn.execute(_CHANGE, values)).rowcount


# What is lent, in maintenance or in transfer changes hands too, and stays where it is.
_HAND_ALL_OVER = """
with old as (
    select id, agente_id from patrimonio where agente_id = %(de)s and situacao <> 'baixado'
    order by id for no key update
), new as (
    update patrimonio p set agente_id = %(para)s, versao = p.versao + 1, atualizado_em = now()
    from old where p.id = old.id returning p.id, p.agente_id
)
insert into evento (ator_id, chave_id, requisicao, entidade, entidade_id, acao, antes, depois)
select %(actor)s, %(key_id)s, %(request_id)s, 'patrimonio', id, 'passar_carga', to_jsonb(old) - 'id', to_jsonb(new) - 'id'
from old join new using (id)"""


async def passar_toda_a_carga(conn: AsyncConnection[Any], de: UUID, para: UUID, author: Author) -> int:
    """Give all assets of an agente to another one; how many."""
    return (await conn.execute(_HAND_ALL_OVER, {"de": de, "para": para, **author._asdict()})).rowcount
