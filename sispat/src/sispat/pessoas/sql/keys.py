"""API keys as administrators see and end them.

Promises: neither a key nor its hash leaves; of the key only its beginning, to recognise it by. Whose key asks is looked
up by kernel.api_keys.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from sispat.pessoas.sql.accounts import Place

__all__ = ["get", "insert", "names", "revoke", "walk"]

_COLUMNS = """k.id, k.nome, k.inicio, k.usuario_id, u.nome as integracao, k.criado_em, c.nome as criado_por,
    k.expira_em, k.usada_em, k.recusada_em, k.revogada_em,
    case when k.revogada_em is not null then 'revogada' when k.expira_em <= now() then 'vencida'
         when not entra(u.ativo, u.acesso_fim) then 'desativada' else 'em_vigor' end as estado"""
_FROM = "chave_api k join usuario u on u.id = k.usuario_id left join usuario c on c.id = k.criado_por"
_SORT = 'sem_acento(k.nome) collate "C"'


async def walk(
    conn: AsyncConnection[Any], *, of: UUID | None, in_force: bool, after: Place | None, backwards: bool, limit: int
) -> list[dict[str, Any]]:
    """At most `limit` keys by name, with their place as `ordem`; `backwards` the nearest before `after` first."""
    where, values = ["true"], list[Any]()
    if of is not None:
        where.append("k.usuario_id = %s")
        values.append(of)
    if in_force:
        where.append("k.revogada_em is null and k.expira_em > now() and entra(u.ativo, u.acesso_fim)")
    if after is not None:
        where.append(f"({_SORT}, k.id) {'<' if backwards else '>'} (%s, %s)")
        values += [after.key, after.id]
    way = "desc" if backwards else "asc"
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"select {_COLUMNS}, {_SORT} as ordem from {_FROM} where {' and '.join(where)}"
            f" order by {_SORT} {way}, k.id {way} limit %s",
            [*values, limit],
        )
        return await cursor.fetchall()


async def get(conn: AsyncConnection[Any], id_: UUID) -> dict[str, Any] | None:
    """One key, or None."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(f"select {_COLUMNS} from {_FROM} where k.id = %s", [id_])
        return await cursor.fetchone()


async def insert(
    conn: AsyncConnection[Any], *, usuario_id: UUID, hash_: bytes, beginning: str, name: str, days: int, by: UUID | None
) -> UUID:
    """Insert a key of an integration, good for `days`; its id."""
    cursor = await conn.execute(
        """insert into chave_api (usuario_id, hash, inicio, nome, expira_em, criado_por)
           values (%s, %s, %s, %s, now() + make_interval(days => %s), %s) returning id""",
        [usuario_id, hash_, beginning, name, days, by],
    )
    row = await cursor.fetchone()
    assert row is not None
    return UUID(str(row[0]))


async def revoke(conn: AsyncConnection[Any], id_: UUID) -> bool:
    """End a key at once; whether it had not been ended before."""
    cursor = await conn.execute("update chave_api set revogada_em = now() where id = %s and revogada_em is null", [id_])
    return cursor.rowcount == 1


async def names(conn: AsyncConnection[Any], ids: list[UUID]) -> dict[UUID, str]:
    """What these keys are called; unknown ids are left out."""
    return dict(await (await conn.execute("select id, nome from chave_api where id = any(%s)", [ids])).fetchall())
