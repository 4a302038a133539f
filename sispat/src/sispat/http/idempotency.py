"""A write that is sent twice is done once.

Promises: with an Idempotency-Key, the first answer is stored in the same transaction as what was written; a repetition
gets that answer, word for word, whichever worker it reaches. The same key with another request is refused. A key is
claimed before anything is done: of two at the same time one does it, the other waits for it and repeats its answer,
also where it would have failed, because a column is unique. Failures are not stored: they can be tried again. Answers are
kept for a day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from starlette.responses import Response

from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, KeyReused
from sispat.kernel.i18n import _

__all__ = ["Key", "claim", "once", "release", "remove_expired", "request_digest", "store_all"]

_NOT_KEPT = ("content-length", "set-cookie")  # of the body, which is kept; of the first client alone


def request_digest(method: str, path: str, body: bytes) -> bytes:
    """What two requests must share to be the same: 32 bytes."""
    return hashlib.sha256(b"\0".join((method.encode(), path.encode(), body))).digest()


async def once(ctx: Context, key: str | None, digest: bytes, do: Callable[[], Awaitable[Response]]) -> Response:
    """The answer of `do`, or the stored one if `key` has been served; without a key simply `do`."""
    if not key:
        return await do()
    if not _usable(key):
        raise InvalidData({"Idempotency-Key": _("Use de 1 a 200 caracteres visíveis, por exemplo um UUID.")})
    while True:
        async with ctx.conn.transaction():
            if await claim(ctx.conn, [(ctx.actor, key, digest)]):
                response = await do()
                await store_all(ctx.conn, [(ctx.actor, key, response)])
                return response
        stored = await _stored(ctx, key, digest)
        if stored is not None:  # else it grew old and was removed between the two looks
            return stored


async def remove_expired(conn: AsyncConnection[Any], limit: int = 5000) -> int:
    """Remove at most `limit` answers older than a day; rows removed."""
    cursor = await conn.execute(
        "delete from idempotencia where (usuario_id, chave) in"
        " (select usuario_id, chave from idempotencia where criado_em < now() - interval '1 day' limit %s)",
        [limit],
    )
    return cursor.rowcount


async def _stored(ctx: Context, key: str, digest: bytes) -> Response | None:
    cursor = await ctx.conn.execute(
        "select pedido, estado, cabecalhos, corpo from idempotencia where usuario_id = %s and chave = %s",
        [ctx.actor, key],
    )
    row: Any = await cursor.fetchone()
    if row is None:
        return None
    if row[0] != digest:
        raise KeyReused(key)
    return Response(row[3], row[1], {**row[2], "Idempotency-Replayed": "true"})


Key = tuple[UUID, str]
"""A key, with the person whose it is: another person's is another."""


async def claim(conn: AsyncConnection[Any], asked: Sequence[tuple[UUID, str, bytes]]) -> set[Key]:
    """Those keys, each asked for with the digest of its request, that are ours until the transaction ends.

    The others have been served, or cannot be stored. Whoever claimed one and has not committed yet is waited for; all
    claim in the order of keys, and before they take the counter of numbers, so that no two wait for each other.
    """
    usable = sorted(each for each in asked if _usable(each[1]))
    if not usable:
        return set()
    cursor = await conn.execute(_CLAIM, [list(column) for column in zip(*usable, strict=True)])
    return {(row[0], row[1]) for row in await cursor.fetchall()}


# Without an answer until `store_all` in the same transaction: nobody else ever sees it so.
_CLAIM = """
insert into idempotencia (usuario_id, chave, pedido, estado, cabecalhos, corpo)
select *, 0, '{}'::jsonb, ''::bytea from unnest(%s::uuid[], %s::text[], %s::bytea[])
on conflict do nothing returning usuario_id, chave"""


async def store_all(conn: AsyncConnection[Any], answers: Sequence[tuple[UUID, str, Response]]) -> None:
    """Store answers, each with its person and the key that was claimed for it."""
    if answers:
        rows = [(person, key, answer.status_code, _kept(answer), bytes(answer.body)) for person, key, answer in answers]
        await conn.execute(_STORE, [list(column) for column in zip(*rows, strict=True)])


async def release(conn: AsyncConnection[Any], keys: Sequence[Key]) -> None:
    """Give claimed keys back, for which nothing was done."""
    if keys:
        await conn.execute(_RELEASE, [list(column) for column in zip(*keys, strict=True)])


_STORE = """
update idempotencia i set estado = a.estado, cabecalhos = a.cabecalhos, corpo = a.corpo
from unnest(%s::uuid[], %s::text[], %s::int[], %s::jsonb[], %s::bytea[]) a (pessoa, chave, estado, cabecalhos, corpo)
where i.usuario_id = a.pessoa and i.chave = a.chave"""
_RELEASE = """
delete from idempotencia i using unnest(%s::uuid[], %s::text[]) k (pessoa, chave)
where i.usuario_id = k.pessoa and i.chave = k.chave"""


def _kept(response: Response) -> Jsonb:
    return Jsonb({name: value for name, value in response.headers.items() if name not in _NOT_KEPT})


def _usable(key: str) -> bool:
    return len(key) <= 200 and key.isprintable()
