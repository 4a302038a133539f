"""What goes away with an asset and comes back: loans, maintenance, write-offs. One row for each asset, written alike.

The columns are those of our tables of fields; what people typed is always a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from sispat.movimentacoes.fields import BAIXA, EMPRESTIMO, MANUTENCAO
from sispat.movimentacoes.sql.listing import Table

__all__ = ["BAIXAS", "EMPRESTIMOS", "MANUTENCOES", "atualizar", "inserir", "travar"]

EMPRESTIMOS, MANUTENCOES, BAIXAS = Table(EMPRESTIMO), Table(MANUTENCAO), Table(BAIXA)


async def inserir(
    conn: AsyncConnection[Any], table: Table, shared: Mapping[str, Any], each: Sequence[Mapping[str, Any]]
) -> list[UUID]:
    """Insert a row for each of `each` with what they share; their ids."""
    columns = [*shared, *each[0]]
    marks = ", ".join(f"%({column})s" for column in columns)
    sql = f"insert into {table.name} ({', '.join(columns)}) values ({marks}) returning id"
    async with conn.cursor() as cursor:
        await cursor.executemany(sql, [{**shared, **own} for own in each], returning=True)
        return [row[0] async for made in cursor.results() for row in await made.fetchall()]


async def travar(
    conn: AsyncConnection[Any], table: Table, setores: Sequence[UUID] | None, id_: UUID
) -> dict[str, Any] | None:
    """Lock a row within reach: of two who close it, the second waits here and then sees that it is closed."""
    sql = f"""select * from {table.name}
              where id = %(id)s and (%(setores)s::uuid[] is null or setor_id = any(%(setores)s)) for no key update"""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, {"id": id_, "setores": None if setores is None else list(setores)})
        return await cursor.fetchone()


async def atualizar(conn: AsyncConnection[Any], table: Table, id_: UUID, changes: Mapping[str, Any]) -> None:
    """Change columns of a locked row and count its version up."""
    assignments = ", ".join(f"{column} = %s" for column in changes)
    await conn.execute(
        f"update {table.name} set {assignments}, versao = versao + 1 where id = %s", [*changes.values(), id_]
    )
