"""The audit: append-only, in the same transaction as what it tells of.

Promises: what changed, from what to what, by whom, in which request. The application's role can neither
change nor remove a record, and a trigger stops whoever could.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

__all__ = ["historico", "registrar", "ultimos"]


async def registrar(
    conn: AsyncConnection[Any],
    *,
    ator: UUID | None,
    requisicao: str,
    entidade: str,
    entidade_id: UUID,
    acao: str,
    antes: Mapping[str, Any] | None = None,
    depois: Mapping[str, Any] | None = None,
) -> None:
    """Write one record."""
    await conn.execute(
        "insert into evento (ator_id, requisicao, entidade, entidade_id, acao, antes, depois)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        [ator, requisicao, entidade, entidade_id, acao, _json(antes), _json(depois)],
    )


async def historico(conn: AsyncConnection[Any], entidade_id: UUID, limite: int = 200) -> list[dict[str, Any]]:
    """The records of one entity, newest first, with the names of who acted."""
    return await _ler(conn, "where e.entidade_id = %s", [entidade_id, limite])


async def ultimos(conn: AsyncConnection[Any], antes_de: int | None = None, limite: int = 100) -> list[dict[str, Any]]:
    """The newest records of all, walked by key: `antes_de` is the id to continue below."""
    if antes_de is None:
        return await _ler(conn, "", [limite])
    return await _ler(conn, "where e.id < %s", [antes_de, limite])


async def _ler(conn: AsyncConnection[Any], onde: str, valores: list[Any]) -> list[dict[str, Any]]:
    cursor = await conn.execute(
        f"""select e.id, e.em, coalesce(u.nome, 'sistema') as ator, e.entidade, e.entidade_id, e.acao,
                   e.antes, e.depois, e.requisicao
            from evento e left join usuario u on u.id = e.ator_id {onde} order by e.id desc limit %s""",
        valores,
    )
    colunas = [coluna.name for coluna in cursor.description or ()]
    return [dict(zip(colunas, linha, strict=True)) for linha in await cursor.fetchall()]


def _json(valores: Mapping[str, Any] | None) -> Jsonb | None:
    if valores is None:
        return None
    return Jsonb({c: v if v is None or isinstance(v, int | bool) else str(v) for c, v in valores.items()})
