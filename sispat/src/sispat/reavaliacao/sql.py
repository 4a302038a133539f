"""Reports on values in the database: their assets, locked, written, taken back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from sispat.depreciacao.rules import Balance
from sispat.kernel.audit import Author
from sispat.reavaliacao.rules import Outcome

__all__ = ["Locked", "estornar_itens", "inserir_itens", "itens", "travar"]


class Locked(NamedTuple):
    """An asset that is locked until the transaction ends."""

    id: UUID
    numero: int
    posse: str


async def travar(conn: AsyncConnection[Any], numeros: Sequence[int], classe_id: UUID | None, most: int) -> list[Locked]:
    """Lock the assets in the books with these numbers, or of this class: at most `most`, in the order of kernel.states."""
    await conn.execute("set local statement_timeout = '30s'")
    which, value = ("numero = any(%s)", list(numeros)) if classe_id is None else ("classe_id = %s", classe_id)
    own = "" if classe_id is None else "and posse = 'proprio'"  # of a class only what is the city's is meant
    sql = f"""select id, numero, posse from patrimonio where {which} and situacao <> 'baixado' {own}
              order by id limit %s for no key update"""
    cursor = await conn.execute(sql, [value, most], prepare=False)
    return [Locked(*row) for row in await cursor.fetchall()]


Written = Sequence[tuple[UUID, Balance, Outcome]]
"""Of each asset: its id, what it was worth, what it is now."""


async def inserir_itens(
    conn: AsyncConnection[Any], report: UUID, kind: str, day: dt.date, items: Written, author: Author
) -> None:
    """Write the assets of a report, and into the audit of each what happened to it."""
    columns = list(
        zip(
            *((id_, *before, *found.after, found.months, found.residual) for id_, before, found in items),
            strict=True,
        )
    )
    await conn.execute(
        """
        with made as (
            insert into reavaliacao_item (reavaliacao_id, tipo, data, patrimonio_id, bruto_antes, acumulada_antes, perda_antes,
                                          bruto, acumulada, perda, vida_util_meses, residual)
            select %s, %s, %s, * from unnest(%s::uuid[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
                                             %s::numeric[], %s::numeric[], %s::int[], %s::numeric[])
            returning *
        )
        insert into evento (ator_id, chave_id, requisicao, entidade, entidade_id, acao, antes, depois)
        select %s, %s, %s, 'patrimonio', patrimonio_id, 'reavaliar',
               jsonb_build_object('valor_liquido', (bruto_antes - acumulada_antes - perda_antes)::text),
               jsonb_build_object('valor_liquido', (bruto - acumulada - perda)::text, 'vida_util_meses', vida_util_meses,
                                  'residual', residual::text)
        from made""",
        [report, kind, day, *map(list, columns), *author],
    )


async def estornar_itens(conn: AsyncConnection[Any], report: UUID, author: Author) -> None:
    """Take the assets of a report back, and write that into the audit of each."""
    await conn.execute(
        """
        with undone as (update reavaliacao_item set estornada = true where reavaliacao_id = %s returning *)
        insert into evento (ator_id, chave_id, requisicao, entidade, entidade_id, acao, antes, depois)
        select %s, %s, %s, 'patrimonio', patrimonio_id, 'estornar_reavaliacao',
               jsonb_build_object('valor_liquido', (bruto - acumulada - perda)::text),
               jsonb_build_object('valor_liquido', (bruto_antes - acumulada_antes - perda_antes)::text)
        from undone""",
        [report, *author],
    )


async def itens(conn: AsyncConnection[Any], report: UUID, after: int, limit: int) -> list[dict[str, Any]]:
    """At most `limit` assets of a report, by plate number above `after`."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select i.patrimonio_id, p.numero, p.descricao,
                      i.bruto_antes - i.acumulada_antes - i.perda_antes as valor_antes,
                      i.bruto - i.acumulada - i.perda as valor_depois, i.vida_util_meses, i.residual
               from reavaliacao_item i join patrimonio p on p.id = i.patrimonio_id
               where i.reavaliacao_id = %s and p.numero > %s order by p.numero limit %s""",
            [report, after, limit],
        )
        return await cursor.fetchall()
