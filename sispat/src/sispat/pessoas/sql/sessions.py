"""Open sessions, seen and ended.

Promises: a session is named by its id, never by its token; ending it works at once everywhere.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

__all__ = ["SHOWN", "end", "end_all", "opened"]

SHOWN = 200  # the newest; "end all" ends the others too


async def opened(
    conn: AsyncConnection[Any], usuario_id: UUID, idle: timedelta, token_hash: bytes | None
) -> list[dict[str, Any]]:
    """The valid sessions of a person, the last used first; `atual` marks the one of `token_hash`."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select id, criada_em, vista_em, expira_em, endereco, navegador, coalesce(token_hash = %s, false) as atual
               from sessao where usuario_id = %s and expira_em > now() and vista_em > now() - %s::interval
                 and (select entra(u.ativo, u.acesso_fim) from usuario u where u.id = usuario_id)
               order by vista_em desc, id limit %s""",
            [token_hash, usuario_id, idle, SHOWN],
        )
        return await cursor.fetchall()


async def end(conn: AsyncConnection[Any], usuario_id: UUID, id_: UUID) -> dict[str, Any] | None:
    """End one session of a person; what it was, or None where there is none."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "delete from sessao where usuario_id = %s and id = %s returning endereco, navegador", [usuario_id, id_]
        )
        return await cursor.fetchone()


async def end_all(conn: AsyncConnection[Any], usuario_id: UUID, *, but: bytes | None = None) -> int:
    """End every session of a person, the one with token hash `but` left open; how many were ended."""
    cursor = await conn.execute(
        "delete from sessao where usuario_id = %s and token_hash is distinct from %s", [usuario_id, but]
    )
    return cursor.rowcount
