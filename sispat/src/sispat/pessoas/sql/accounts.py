"""Accounts as administrators see and change them.

Promises: no password hash leaves; the last active administrator stays one, whoever changes accounts at the same time (a
trigger).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

__all__ = ["ACCESS_ENDED", "Place", "ended", "get", "insert", "names", "set_password", "set_setores", "update", "walk"]

_COLUMNS = """u.id, u.email, u.nome, u.papel, u.cpf,
    array(select s.codigo from usuario_setor p join setor s on s.id = p.setor_id where p.usuario_id = u.id
          order by s.codigo) as setores,
    u.acesso_ate, u.integracao, u.ativo, coalesce(u.acesso_fim <= now(), false) as acesso_terminado, u.senha_provisoria,
    u.senha_dada_em,
    exists (select from segundo_fator f where f.usuario_id = u.id and f.ativo) as segundo_fator,
    u.versao, u.criado_em, u.atualizado_em"""
_SORT = 'sem_acento(u.nome) collate "C"'


class Place(NamedTuple):
    """Where a page of the list begins or ends: the name as sorted, and the id that breaks ties."""

    key: str
    id: UUID


async def walk(
    conn: AsyncConnection[Any], *, q: str, active: bool, after: Place | None, backwards: bool, limit: int
) -> list[dict[str, Any]]:
    """At most `limit` accounts by name, with their place as `ordem`; `backwards` the nearest before `after` first."""
    where, values = ["true"], list[Any]()
    if q:
        where.append("strpos(sem_acento(u.nome || ' ' || u.email), sem_acento(%s)) > 0")
        values.append(q)
    if active:
        where.append("entra(u.ativo, u.acesso_fim)")
    if after is not None:
        where.append(f"({_SORT}, u.id) {'<' if backwards else '>'} (%s, %s)")
        values += [after.key, after.id]
    way = "desc" if backwards else "asc"
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"select {_COLUMNS}, {_SORT} as ordem from usuario u where {' and '.join(where)}"
            f" order by {_SORT} {way}, u.id {way} limit %s",
            [*values, limit],
        )
        return await cursor.fetchall()


async def get(conn: AsyncConnection[Any], id_: UUID, *, lock: bool = False) -> dict[str, Any] | None:
    """One account, or None; with `lock` locked until the transaction ends."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"select {_COLUMNS} from usuario u where u.id = %s {'for no key update of u' if lock else ''}", [id_]
        )
        return await cursor.fetchone()


async def insert(conn: AsyncConnection[Any], values: Mapping[str, Any], password_hash: str, provisional: bool) -> UUID:
    """Insert an account without setores; its id."""
    cursor = await conn.execute(
        "insert into usuario (email, nome, papel, cpf, integracao, acesso_ate, acesso_fim, senha_hash, senha_provisoria)"
        " values (%(email)s, %(nome)s, %(papel)s, %(cpf)s, %(integracao)s, %(acesso_ate)s, %(acesso_fim)s, %(hash)s,"
        " %(provisional)s) returning id",
        {**values, "hash": password_hash, "provisional": provisional},
    )
    row = await cursor.fetchone()
    assert row is not None
    return UUID(str(row[0]))


async def update(conn: AsyncConnection[Any], id_: UUID, changes: Mapping[str, Any]) -> None:
    """Change columns of a locked account and count its version up."""
    assignments = "".join(f"{column} = %s, " for column in changes)
    await conn.execute(
        f"update usuario set {assignments} versao = versao + 1, atualizado_em = now() where id = %s",
        [*changes.values(), id_],
    )


ACCESS_ENDED = "terminar_acesso"
"""What the audit calls it."""


async def ended(conn: AsyncConnection[Any]) -> list[tuple[UUID, dt.date]]:
    """Whose access has ended, and on which day, where the audit does not say so yet. Nobody else is told until the commit."""
    await conn.execute("select pg_advisory_xact_lock(85301034)")
    cursor = await conn.execute(
        """select id, acesso_ate from usuario u where acesso_fim <= now() and not exists (
               select from evento e where e.entidade_id = u.id and e.acao = %s and e.em >= u.acesso_fim)
           order by id limit 1000""",
        [ACCESS_ENDED],
    )
    return await cursor.fetchall()


async def set_setores(conn: AsyncConnection[Any], id_: UUID, setores: Sequence[UUID]) -> None:
    """Let the person reach these setores and no other."""
    await conn.execute(
        "delete from usuario_setor where usuario_id = %s and setor_id <> all(%s::uuid[])", [id_, list(setores)]
    )
    await conn.execute(
        "insert into usuario_setor (usuario_id, setor_id) select %s, unnest(%s::uuid[]) on conflict do nothing",
        [id_, list(setores)],
    )


async def set_password(
    conn: AsyncConnection[Any], id_: UUID, password_hash: str, *, provisional: bool, instead_of: str | None = None
) -> bool:
    """Store a new password's hash, where given only `instead_of` the present one; whether that was done."""
    cursor = await conn.execute(
        "update usuario set senha_hash = %s, senha_provisoria = %s, senha_dada_em = now()"
        " where id = %s and (%s::text is null or senha_hash = %s)",
        [password_hash, provisional, id_, instead_of, instead_of],
    )
    return cursor.rowcount == 1


async def names(conn: AsyncConnection[Any], ids: Sequence[UUID]) -> dict[UUID, str]:
    """What these people are called; unknown ids are left out."""
    return dict(await (await conn.execute("select id, nome from usuario where id = any(%s)", [list(ids)])).fetchall())
