"""Blocks of signing in, seen and lifted by administrators."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sispat.kernel import audit
from sispat.kernel.context import Context
from sispat.kernel.errors import NotFound
from sispat.kernel.i18n import _
from sispat.pessoas import rules
from sispat.pessoas.sql import bloqueios

__all__ = ["bloqueios_em_vigor", "liberar"]


async def bloqueios_em_vigor(ctx: Context) -> list[dict[str, Any]]:
    """What is blocked now, the newest first."""
    ctx.access.require(rules.BLOQUEIO_VER)
    return await bloqueios.in_force(ctx.conn)


async def liberar(ctx: Context, id_: UUID) -> None:
    """Lift a block at once, on every machine; audited. Raises `NotFound` for one that ended already."""
    ctx.access.require(rules.BLOQUEIO_LIBERAR)
    async with ctx.conn.transaction():
        before = await bloqueios.lift(ctx.conn, id_)
        if before is None:
            raise NotFound(_("O bloqueio"), id_)
        await audit.record(
            ctx.conn,
            actor=ctx.actor,
            key_id=ctx.key_id,
            request_id=ctx.request_id,
            entidade="bloqueio",
            entidade_id=id_,
            acao="liberar",
            antes={column: value for column, value in before.items() if value is not None},
        )
