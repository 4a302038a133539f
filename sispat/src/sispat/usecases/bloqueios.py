"""Blocks of signing in, for administrators."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sispat.domain.erros import NaoEncontrado
from sispat.domain.permissoes import Acao
from sispat.store import bloqueios, eventos
from sispat.usecases.contexto import Contexto

__all__ = ["liberar", "listar"]


async def listar(ctx: Contexto) -> list[dict[str, Any]]:
    """What is blocked now, the newest first."""
    ctx.acesso.exigir(Acao.BLOQUEIO_VER)
    return await bloqueios.vigentes(ctx.conn)


async def liberar(ctx: Contexto, id_: UUID) -> None:
    """Lift a block at once, on every machine; audited. Raises `NaoEncontrado` for one that ended already."""
    ctx.acesso.exigir(Acao.BLOQUEIO_LIBERAR)
    async with ctx.conn.transaction():
        antes = await bloqueios.liberar(ctx.conn, id_)
        if antes is None:
            raise NaoEncontrado("O bloqueio", id_)
        await eventos.registrar(
            ctx.conn,
            ator=ctx.ator,
            requisicao=ctx.requisicao,
            entidade="bloqueio",
            entidade_id=id_,
            acao="liberar",
            antes={campo: valor for campo, valor in antes.items() if valor is not None},
        )
