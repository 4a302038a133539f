"""What the public page of an asset shows."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

__all__ = ["BemPublico", "ler"]


class BemPublico(NamedTuple):
    """An asset, as far as anybody may know it: no person, no value, no serial number, no note."""

    numero: int
    descricao: str
    classe: str
    setor: str
    baixado: bool


async def ler(conn: AsyncConnection[Any], id_: UUID) -> BemPublico | None:
    """The asset with this key, or None."""
    sql = """select p.numero, p.descricao, c.nome, s.nome, p.situacao = 'baixado'
             from patrimonio p join classe c on c.id = p.classe_id join setor s on s.id = p.setor_id where p.id = %s"""
    row = await (await conn.execute(sql, [id_])).fetchone()
    return None if row is None else BemPublico(*row)
