"""A write that is sent twice is done once.

Promises: with an Idempotency-Key, the first answer is stored in the same transaction as what was written;
a repetition gets that answer, word for word, whichever worker it reaches. The same key with another
request is refused. Two at the same time: one does it, the other waits and repeats its answer. Failures
are not stored: they can be tried again. Answers are kept for a day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, errors
from psycopg.types.json import Jsonb
from starlette.responses import Response

from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, KeyReused
from sispat.kernel.i18n import _

__all__ = ["known", "once", "remove_expired", "request_digest", "store_all"]

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
    stored = await _stored(ctx, key, digest)
    if stored is not None:
        return stored
    try:
        async with ctx.conn.transaction():
            response = await do()
            await _store(ctx, key, digest, response)
    except errors.UniqueViolation as error:
        if error.diag.constraint_name != "idempotencia_pkey":
            raise
        # Somebody with the same key was faster; our work is rolled back.
        stored = await _stored(ctx, key, digest)
        if stored is None:
            raise
        return stored
    return response


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


async def known(conn: AsyncConnection[Any], keys: Sequence[tuple[UUID | None, str]]) -> set[tuple[UUID | None, str]]:
    """Those keys, each with its person, that have been served or that no answer may be stored under."""
    usable = [each for each in keys if _usable(each[1])]
    found = {each for each in keys if not _usable(each[1])}
    if usable:
        cursor = await conn.execute(
            "select usuario_id, chave from idempotencia"
            " where (usuario_id, chave) in (select * from unnest(%s::uuid[], %s::text[]))",
            [[person for person, _ in usable], [key for _, key in usable]],
        )
        found |= {(row[0], row[1]) for row in await cursor.fetchall()}
    return found


async def store_all(conn: AsyncConnection[Any], answers: Sequence[tuple[UUID | None, str, bytes, Response]]) -> None:
    """Store answers, each with its person, its key and the digest of its request, in the transaction of `conn`."""
    if answers:
        async with conn.cursor() as cursor:
            await cursor.executemany(_STORE, [_row(*each) for each in answers])


_STORE = (
    "insert into idempotencia (usuario_id, chave, pedido, estado, cabecalhos, corpo) values (%s, %s, %s, %s, %s, %s)"
)


async def _store(ctx: Context, key: str, digest: bytes, response: Response) -> None:
    await ctx.conn.execute(_STORE, _row(ctx.actor, key, digest, response))


def _row(person: UUID | None, key: str, digest: bytes, response: Response) -> list[Any]:
    headers = {name: value for name, value in response.headers.items() if name not in _NOT_KEPT}
    return [person, key, digest, response.status_code, Jsonb(headers), bytes(response.body)]


def _usable(key: str) -> bool:
    return len(key) <= 200 and key.isprintable()
