"""Transfers and their items, written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

from sispat.kernel.fields import specs
from sispat.kernel.paging import Place
from sispat.kernel.record_sql import Row, document_of
from sispat.movimentacoes.fields import ItemDeTransferencia
from sispat.movimentacoes.sql.assets import Asset

__all__ = ["Item", "Travada", "decidir", "inserir", "itens", "pendentes", "travar"]


class Travada(NamedTuple):
    """A transfer that is locked until the transaction ends."""

    id: UUID
    numero: int
    estado: str
    origem_id: UUID
    destino_id: UUID
    local_id: UUID | None
    agente_id: UUID | None


class Item(NamedTuple):
    """An item of a locked transfer."""

    patrimonio_id: UUID
    numero: int


async def inserir(
    conn: AsyncConnection[Any], dados: Mapping[str, Any], origem_id: UUID, assets: Sequence[Asset], actor: UUID
) -> tuple[UUID, int]:
    """Ask for the transfer of assets of one setor; its id and number."""
    sql = """
        with t as (
            insert into transferencia (origem_id, destino_id, local_id, agente_id, motivo, bens, pedida_por)
            values (%(origem)s, %(destino_id)s, %(local_id)s, %(agente_id)s, %(motivo)s, %(bens)s, %(actor)s)
            returning id, numero
        ), i as (
            insert into transferencia_item (transferencia_id, patrimonio_id, local_id, agente_id)
            select t.id, a.* from t, unnest(%(ids)s::uuid[], %(locais)s::uuid[], %(agentes)s::uuid[]) a
        )
        select id, numero from t"""
    values = {
        **dados, "origem": origem_id, "bens": len(assets), "actor": actor, "ids": [a.id for a in assets],
        "locais": [a.local_id for a in assets], "agentes": [a.agente_id for a in assets],
    }  # fmt: skip
    row = await (await conn.execute(sql, values)).fetchone()
    assert row is not None
    return row[0], row[1]


async def travar(conn: AsyncConnection[Any], setores: Sequence[UUID] | None, id_: UUID) -> Travada | None:
    """Lock a transfer within reach: of two who decide, the second waits here and then sees what the first decided."""
    sql = """select id, numero, estado, origem_id, destino_id, local_id, agente_id from transferencia
             where id = %(id)s and (%(setores)s::uuid[] is null or origem_id = any(%(setores)s)
                                    or destino_id = any(%(setores)s)) for no key update"""
    async with conn.cursor(row_factory=class_row(Travada)) as cursor:
        await cursor.execute(sql, {"id": id_, "setores": None if setores is None else list(setores)})
        return await cursor.fetchone()


async def pendentes(conn: AsyncConnection[Any], id_: UUID) -> list[Item]:
    """The pending items of a locked transfer."""
    sql = """select i.patrimonio_id, p.numero from transferencia_item i join patrimonio p on p.id = i.patrimonio_id
             where i.transferencia_id = %s and i.estado = 'pendente'"""
    return [Item(*row) for row in await (await conn.execute(sql, [id_])).fetchall()]


async def decidir(
    conn: AsyncConnection[Any], id_: UUID, items: Sequence[UUID], estado: str, observacao: str, actor: UUID
) -> tuple[str, str]:
    """Write what was decided of items of a locked transfer; its state before and after."""
    await conn.execute(
        """update transferencia_item set estado = %s, observacao = %s, decidida_por = %s, decidida_em = now()
           where transferencia_id = %s and patrimonio_id = any(%s)""",
        [estado, observacao, actor, id_, list(items)],
    )
    # What is decided in parts: pending while a part is; else what the best of its parts became (EstadoDaTransferencia).
    row = await (
        await conn.execute(
            """
            with decided as (
                select case when bool_or(i.estado = 'pendente') then 'pendente'
                            when bool_or(i.estado = 'aceita') then 'aceita'
                            when bool_or(i.estado = 'recusada') then 'recusada' else 'cancelada' end as estado
                from transferencia_item i where i.transferencia_id = %(id)s
            ), old as (select id, estado from transferencia where id = %(id)s)
            update transferencia t set estado = decided.estado, versao = t.versao + 1,
                decidida_em = case when decided.estado <> 'pendente' then now() end
            from decided, old where t.id = old.id returning old.estado, t.estado""",
            {"id": id_},
        )
    ).fetchone()
    assert row is not None
    return row[0], row[1]


_ITEM = document_of(specs(ItemDeTransferencia))


async def itens(conn: AsyncConnection[Any], id_: UUID, after: Place | None, limit: int) -> list[Row]:
    """At most `limit` items of a transfer, by plate number."""
    sql = f"""select {_ITEM.json}, r_patrimonio.numero::text, r_patrimonio.numero from transferencia_item m {_ITEM.joins}
              where m.transferencia_id = %s and (%s::bigint is null or r_patrimonio.numero > %s)
              order by r_patrimonio.numero limit %s"""
    above = None if after is None else after.numero
    return [Row(*row) for row in await (await conn.execute(sql, [id_, above, above, limit])).fetchall()]
