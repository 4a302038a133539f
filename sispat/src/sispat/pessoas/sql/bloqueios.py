"""Blocks of signing in: kept where every process of every machine sees them.

Promises: a row says that attempts are refused and until when, whatever becomes of the limiter that counted them. Lifting
a block raises its generation, which is part of the limiter's key: from then on, everywhere, nothing counts that was counted
before. Rows go two days after they end; no window of attempts is longer than a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

__all__ = ["Standing", "Target", "in_force", "lift", "note", "remove_ended", "standings"]

Kind = Literal["conta", "endereco", "navegador"]

SHOWN = 500


@dataclass(frozen=True, slots=True)
class Target:
    """What can be blocked: `key` identifies it, `account` is the sha256 of an e-mail."""

    key: bytes
    kind: Kind
    account: bytes | None = None
    address: str | None = None


class Standing(NamedTuple):
    """How often it was lifted; for how many seconds it is still blocked."""

    generation: int = 0
    wait: float = 0.0


async def standings(conn: AsyncConnection[Any], keys: Sequence[bytes]) -> dict[bytes, Standing]:
    """How each of `keys` stands; those never blocked are missing."""
    cursor = await conn.execute(
        "select chave, geracao, greatest(extract(epoch from ate - now()), 0)::float8"
        " from bloqueio where chave = any(%s::bytea[])",
        [list(keys)],
    )
    return {bytes(row[0]): Standing(row[1], row[2]) for row in await cursor.fetchall()}


async def note(conn: AsyncConnection[Any], target: Target, wait: float) -> None:
    """Note that `target` is refused for `wait` seconds from now."""
    await conn.execute(
        """insert into bloqueio as b (chave, tipo, conta, endereco, ate) values (%s, %s, %s, %s, now() + %s)
           on conflict (chave) do update
           set desde = case when b.ate > now() then b.desde else now() end, ate = excluded.ate""",
        [target.key, target.kind, target.account, target.address, timedelta(seconds=wait)],
    )


async def in_force(conn: AsyncConnection[Any]) -> list[dict[str, Any]]:
    """What is blocked now, the newest first; `nome` and `email` are null where the account does not exist."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select b.id, b.tipo, b.endereco, u.id as usuario_id, u.nome, u.email, b.desde, b.ate
               from bloqueio b left join usuario u on b.conta = sha256(convert_to(u.email, 'UTF8'))
               where b.ate > now() order by b.desde desc, b.id limit %s""",
            [SHOWN],
        )
        return await cursor.fetchall()


async def lift(conn: AsyncConnection[Any], id_: UUID) -> dict[str, Any] | None:
    """End a block for everybody at once; what it was, or None where there is none now."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """with b as (
                   update bloqueio set geracao = geracao + 1, ate = now() where id = %s and ate > now()
                   returning tipo, endereco, conta)
               select b.tipo, b.endereco, u.nome, u.email
               from b left join usuario u on b.conta = sha256(convert_to(u.email, 'UTF8'))""",
            [id_],
        )
        return await cursor.fetchone()


async def remove_ended(conn: AsyncConnection[Any], limit: int = 5000) -> int:
    """Remove rows that ended two days ago; rows removed."""
    cursor = await conn.execute(
        "delete from bloqueio where id in (select id from bloqueio where ate < now() - interval '2 days' limit %s)",
        [limit],
    )
    return cursor.rowcount
