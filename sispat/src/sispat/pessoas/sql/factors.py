"""Second factors and recovery codes in the database.

Promises: a code is taken once, also by two who send it at the same time: the row is locked while it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

__all__ = [
    "Factor", "activate", "begin", "complete_session", "enrolled", "locked", "remove", "reseal", "sealed", "take",
    "use_recovery",
]  # fmt: skip


class Factor(NamedTuple):
    """`secret` as stored (kernel.sealing); `last_step` the period of the last code that was taken."""

    secret: str
    active: bool
    last_step: int


async def locked(conn: AsyncConnection[Any], usuario_id: UUID) -> Factor | None:
    """The second factor of a person, locked until the transaction ends, or None."""
    cursor = await conn.execute(
        "select segredo, ativo, ultimo_passo from segundo_fator where usuario_id = %s for update", [usuario_id]
    )
    row = await cursor.fetchone()
    return None if row is None else Factor(*row)


async def begin(conn: AsyncConnection[Any], usuario_id: UUID, secret: str) -> bool:
    """Keep a secret that no code was given of yet, in place of an earlier one; False where one is active."""
    cursor = await conn.execute(
        """insert into segundo_fator as f (usuario_id, segredo) values (%s, %s)
           on conflict (usuario_id) do update set segredo = excluded.segredo, criado_em = now() where not f.ativo""",
        [usuario_id, secret],
    )
    return cursor.rowcount == 1


async def take(conn: AsyncConnection[Any], usuario_id: UUID, step: int) -> None:
    """Note that the code of a period was taken."""
    await conn.execute("update segundo_fator set ultimo_passo = %s where usuario_id = %s", [step, usuario_id])


async def reseal(conn: AsyncConnection[Any], usuario_id: UUID, secret: str) -> None:
    """Store the same secret sealed anew."""
    await conn.execute("update segundo_fator set segredo = %s where usuario_id = %s", [secret, usuario_id])


async def sealed(conn: AsyncConnection[Any], after: UUID | None, limit: int) -> list[tuple[UUID, str]]:
    """At most `limit` secrets as stored, by person, after the person `after`; locked until the transaction ends."""
    cursor = await conn.execute(
        """select usuario_id, segredo from segundo_fator where %s::uuid is null or usuario_id > %s
           order by usuario_id limit %s for update""",
        [after, after, limit],
    )
    return [(row[0], row[1]) for row in await cursor.fetchall()]


async def activate(conn: AsyncConnection[Any], usuario_id: UUID, step: int, hashes: Iterable[bytes]) -> None:
    """The person has given a code: from now on it is asked for, or one of the recovery codes."""
    await conn.execute(
        "update segundo_fator set ativo = true, ultimo_passo = %s where usuario_id = %s", [step, usuario_id]
    )
    await conn.execute("delete from codigo_de_recuperacao where usuario_id = %s", [usuario_id])
    await conn.execute(
        "insert into codigo_de_recuperacao (usuario_id, hash) select %s, unnest(%s::bytea[])",
        [usuario_id, list(hashes)],
    )
    await conn.execute("update sessao set falta = null where usuario_id = %s and falta = 'fator'", [usuario_id])


async def use_recovery(conn: AsyncConnection[Any], usuario_id: UUID, hash_: bytes) -> bool:
    """Use up a recovery code; whether there was such a one."""
    cursor = await conn.execute(
        "delete from codigo_de_recuperacao where usuario_id = %s and hash = %s", [usuario_id, hash_]
    )
    return cursor.rowcount == 1


async def remove(conn: AsyncConnection[Any], usuario_id: UUID) -> bool:
    """Take the second factor and its recovery codes away; whether one was active."""
    await conn.execute("delete from codigo_de_recuperacao where usuario_id = %s", [usuario_id])
    cursor = await conn.execute("delete from segundo_fator where usuario_id = %s returning ativo", [usuario_id])
    row = await cursor.fetchone()
    return bool(row and row[0])


async def complete_session(conn: AsyncConnection[Any], old: bytes, new: bytes, duration: timedelta) -> bool:
    """Replace the token of a session that lacks a code, and let it live; whether it still lacked one."""
    cursor = await conn.execute(
        "update sessao set token_hash = %s, falta = null, expira_em = now() + %s where token_hash = %s and falta = 'codigo'",
        [new, duration, old],
    )
    return cursor.rowcount == 1


async def enrolled(conn: AsyncConnection[Any], usuario_id: UUID) -> bool:
    """Whether the person has an active second factor."""
    cursor = await conn.execute("select ativo from segundo_fator where usuario_id = %s", [usuario_id])
    row = await cursor.fetchone()
    return bool(row and row[0])
