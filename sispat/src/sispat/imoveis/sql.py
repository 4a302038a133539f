"""Imóveis, written; what is read of them is `kernel.record_sql`'s.

Promises: a number is taken from `numeracao` in the statement that creates the imóvel: distinct, consecutive, and gone if that
statement fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from sispat.kernel.audit import Author

__all__ = ["criar", "passar_toda_a_carga"]


async def criar(conn: AsyncConnection[Any], data: Mapping[str, Any]) -> tuple[UUID, int]:
    """Create an imóvel; its id and number."""
    marks = ", ".join(f"%({column})s" for column in data)
    sql = f"""
        with n as (
            update numeracao set ultimo = ultimo + 1 where escopo = 'imovel' and exercicio = 0 returning ultimo
        )
        insert into imovel (numero, {", ".join(data)}) select n.ultimo, {marks} from n returning id, numero"""
    row = await (await conn.execute(sql, data)).fetchone()
    assert row is not None
    return row[0], row[1]


_HAND_ALL_OVER = """
with old as (
    select id, agente_id from imovel where agente_id = %(de)s and estado <> 'baixado' order by id for no key update
), new as (
    update imovel m set agente_id = %(para)s, versao = m.versao + 1, atualizado_em = now()
    from old where m.id = old.id returning m.id, m.agente_id
)
insert into evento (ator_id, chave_id, requisicao, entidade, entidade_id, acao, antes, depois)
select %(actor)s, %(key_id)s, %(request_id)s, 'imovel', id, 'passar_carga', to_jsonb(old) - 'id', to_jsonb(new) - 'id'
from old join new using (id)"""


async def passar_toda_a_carga(conn: AsyncConnection[Any], de: UUID, para: UUID, author: Author) -> int:
    """Give all imóveis of an agente to another one; how many."""
    return (await conn.execute(_HAND_ALL_OVER, {"de": de, "para": para, **author._asdict()})).rowcount
