"""A write that is sent twice is done once.

Promises: with an Idempotency-Key, the first answer is stored in the same transaction as what was written;
a repetition gets that answer, word for word, whichever worker it reaches. The same key with another
request is refused. Two at the same time: one does it, the other waits and repeats its answer. Failures
are not stored: they can be tried again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from psycopg import errors
from psycopg.types.json import Jsonb
from starlette.responses import Response

from sispat.domain.erros import ChaveReutilizada, DadosInvalidos
from sispat.usecases.contexto import Contexto

__all__ = ["resumo_do_pedido", "uma_vez"]

_GUARDADOS = ("content-type", "location", "etag")


def resumo_do_pedido(metodo: str, caminho: str, corpo: bytes) -> bytes:
    """What two requests must share to be the same: 32 bytes."""
    return hashlib.sha256(b"\0".join((metodo.encode(), caminho.encode(), corpo))).digest()


async def uma_vez(
    ctx: Contexto, chave: str | None, pedido: bytes, fazer: Callable[[], Awaitable[Response]]
) -> Response:
    """The answer of `fazer`, or the stored one if `chave` has been served; without a key simply `fazer`."""
    if not chave:
        return await fazer()
    if len(chave) > 200 or not chave.isprintable():
        raise DadosInvalidos({"Idempotency-Key": "Use de 1 a 200 caracteres visíveis, por exemplo um UUID."})
    guardada = await _guardada(ctx, chave, pedido)
    if guardada is not None:
        return guardada
    try:
        async with ctx.conn.transaction():
            resposta = await fazer()
            await _guardar(ctx, chave, pedido, resposta)
    except errors.UniqueViolation as erro:
        if erro.diag.constraint_name != "idempotencia_pkey":
            raise
        # Somebody with the same key was faster; our work is rolled back.
        guardada = await _guardada(ctx, chave, pedido)
        if guardada is None:
            raise
        return guardada
    return resposta


async def _guardada(ctx: Contexto, chave: str, pedido: bytes) -> Response | None:
    cursor = await ctx.conn.execute(
        "select pedido, estado, cabecalhos, corpo from idempotencia where usuario_id = %s and chave = %s",
        [ctx.ator, chave],
    )
    linha: Any = await cursor.fetchone()
    if linha is None:
        return None
    if linha[0] != pedido:
        raise ChaveReutilizada(chave)
    return Response(linha[3], linha[1], {**linha[2], "Idempotency-Replayed": "true"})


async def _guardar(ctx: Contexto, chave: str, pedido: bytes, resposta: Response) -> None:
    cabecalhos = {nome: resposta.headers[nome] for nome in _GUARDADOS if nome in resposta.headers}
    await ctx.conn.execute(
        "insert into idempotencia (usuario_id, chave, pedido, estado, cabecalhos, corpo) values (%s, %s, %s, %s, %s, %s)",
        [ctx.ator, chave, pedido, resposta.status_code, Jsonb(cabecalhos), bytes(resposta.body)],
    )
