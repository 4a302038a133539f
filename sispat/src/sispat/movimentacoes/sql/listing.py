"""Lists of movements, walked by key: newest first.

Promises: a page costs about the same wherever it lies. How: each setor within reach is walked along the index of its column
as far as the page may need, and what was found is merged; the indexes stand in the migrations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from sispat.kernel.fields import Entity
from sispat.movimentacoes.sql.document import document_of

__all__ = ["TABLES", "Query", "Row", "Table", "contar", "ler", "listar", "numeros"]


class Table(NamedTuple):
    """Where movements of a kind lie: `reach` are the columns with the setores whose people see a row.

    `of_asset` is the condition that a row is about the asset whose plate number is its one value.
    """

    entity: Entity
    reach: tuple[str, ...] = ("setor_id",)
    of_asset: str = "m.patrimonio_id = (select id from patrimonio where numero = %s)"

    @property
    def name(self) -> str:
        """Of the table: that of the entity."""
        return self.entity.name


class Row(NamedTuple):
    """A movement of a list: its document (JSON) and its place."""

    document: str
    numero: int


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for: `setores` None is the whole city; `conditions` over `m` have one value each.

    `few`: what matches may lie far from the newest, so that it is collected by an index of the conditions and sorted.
    `reach` replaces the columns of the table that say whose it is.
    """

    setores: Sequence[UUID] | None
    conditions: Sequence[tuple[str, Any]] = ()
    below: int | None = None
    limit: int = 50
    few: bool = False
    reach: tuple[str, ...] = ()


def _source(table: Table, query: Query) -> tuple[str, list[Any]]:
    """The SQL of the rows of `m` that `query` finds."""
    asked = [*query.conditions, *([] if query.below is None else [("m.numero < %s", query.below)])]
    where, values = [condition for condition, _ in asked], [value for _, value in asked]
    order = "m.numero + 0" if query.few else "m.numero"  # no index is sorted by the sum: there is nothing to walk
    tail = f"order by {order} desc limit {query.limit:d}"  # written out: see patrimonios.sql.listing
    if query.setores is None:
        condition = f"where {' and '.join(where)}" if where else ""
        source, all_values = f"select m.* from {table.name} m {condition} {tail}", values
    else:
        parts = [
            f"""(select found.* from unnest(%s::uuid[]) of_setor (id) cross join lateral (
                    select m.* from {table.name} m
                    where {" and ".join([f"m.{column} = of_setor.id", *where])} {tail}) found)"""
            for column in query.reach or table.reach
        ]
        source = f"select m.* from ({' union '.join(parts)}) m {tail}"
        all_values = [list(query.setores), *values] * len(parts)
    return source, all_values


def _sql_of_list(table: Table, query: Query) -> tuple[str, list[Any]]:
    source, values = _source(table, query)
    document = document_of(table.entity.fields)
    return f"select {document.json}, m.numero from ({source}) m {document.joins} order by m.numero desc", values


async def contar(conn: AsyncConnection[Any], table: Table, query: Query) -> int:
    """How many movements there are, counted no further than the limit of `query`."""
    source, values = _source(table, query)
    row = await (await conn.execute(f"select count(*) from ({source}) m", values, prepare=False)).fetchone()
    return int(row[0]) if row else 0


async def listar(conn: AsyncConnection[Any], table: Table, query: Query) -> list[Row]:
    """At most `query.limit` movements, newest first."""
    sql, values = _sql_of_list(table, query)
    return [Row(*row) for row in await (await conn.execute(sql, values, prepare=False)).fetchall()]


async def ler(conn: AsyncConnection[Any], table: Table, setores: Sequence[UUID] | None, id_: UUID) -> str | None:
    """The document (JSON) of one movement within reach, or None."""
    document = document_of(table.entity.fields)
    within = "".join(f" or m.{column} = any(%(setores)s)" for column in table.reach)
    sql = f"""select {document.json} from {table.name} m {document.joins}
              where m.id = %(id)s and (%(setores)s::uuid[] is null{within})"""
    values = {"id": id_, "setores": None if setores is None else list(setores)}
    row = await (await conn.execute(sql, values)).fetchone()
    return None if row is None else row[0]


TABLES = ("transferencia", "emprestimo", "manutencao", "baixa")
_NUMBERS = " union all ".join(f"select id, numero from {name} where id = any(%(ids)s)" for name in TABLES)


async def numeros(conn: AsyncConnection[Any], ids: Sequence[UUID]) -> dict[UUID, int]:
    """The numbers of the movements among `ids`, whichever kind they are."""
    return dict(await (await conn.execute(_NUMBERS, {"ids": list(ids)})).fetchall())
