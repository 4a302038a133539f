"""How many assets there are and what they are worth.

Promises: exact at every moment, as of the reader's snapshot: triggers write what a statement changed in its own transaction
(migration `totais`). Reading costs as many rows as there are combinations of setor, classe and situação, and the few
variations not folded yet; no write waits for another because of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

__all__ = ["Parte", "Total", "dobrar_totais", "partes", "totais", "totais_divergentes"]

_AT_ONCE = 20_000  # variations folded in one statement


class Total(NamedTuple):
    """Assets of one situação."""

    situacao: str
    quantidade: int
    valor: Decimal


async def totais(conn: AsyncConnection[Any], setores: Sequence[UUID] | None) -> list[Total]:
    """The totals of each situação that has assets, within reach."""
    sql = """select situacao, sum(quantidade)::bigint, sum(valor) from patrimonio_totais
             where %s::uuid[] is null or setor_id = any(%s) group by situacao"""
    within = None if setores is None else list(setores)
    return [Total(*row) for row in await (await conn.execute(sql, [within, within])).fetchall()]


class Parte(NamedTuple):
    """Assets of one setor or of one classe, without those written off."""

    tipo: Literal["setor", "classe"]
    id: UUID
    nome: str
    quantidade: int
    valor: Decimal


async def partes(conn: AsyncConnection[Any], setores: Sequence[UUID] | None) -> list[Parte]:
    """Each setor and each classe that has assets, within reach, the most valuable first."""
    sql = """
        with parte as (
            select setor_id, classe_id, sum(quantidade)::bigint as quantidade, sum(valor) as valor from patrimonio_totais
            where situacao <> 'baixado' and (%s::uuid[] is null or setor_id = any(%s))
            group by grouping sets ((setor_id), (classe_id)) having sum(quantidade) > 0)
        select 'setor', s.id, s.nome, quantidade, valor from parte join setor s on s.id = setor_id
        union all
        select 'classe', c.id, c.nome, quantidade, valor from parte join classe c on c.id = classe_id
        order by valor desc, nome"""
    within = None if setores is None else list(setores)
    return [Parte(*row) for row in await (await conn.execute(sql, [within, within])).fetchall()]


async def dobrar_totais(conn: AsyncConnection[Any]) -> int:
    """Fold variations into the totals; how many."""
    row = await (await conn.execute("select patrimonio_totais_dobrar(%s)", [_AT_ONCE])).fetchone()
    return int(row[0]) if row else 0


async def totais_divergentes(conn: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
    """Where the totals differ from a count of the assets themselves: (setor, classe, situacao, kept, counted).

    One statement, hence one snapshot: what is being written meanwhile is in both or in neither. It reads all assets.
    """
    sql = """
        select setor_id, classe_id, situacao, t.quantidade, c.quantidade
        from patrimonio_totais t
        full join (select setor_id, classe_id, situacao, count(*) as quantidade, sum(valor) as valor
                   from patrimonio group by 1, 2, 3) c using (setor_id, classe_id, situacao)
        where (t.quantidade, t.valor) is distinct from (c.quantidade, c.valor)"""
    return await (await conn.execute(sql)).fetchall()
