"""Reading the audit."""

from __future__ import annotations

from typing import Any

from sispat.auditoria import seals
from sispat.auditoria.rules import VER
from sispat.kernel import audit
from sispat.kernel.context import Context
from sispat.patrimonios import privacy

__all__ = ["ultimo_selo", "ultimos"]


async def ultimos(ctx: Context, sought: audit.Sought, before: int | None = None) -> list[dict[str, Any]]:
    """The newest hundred records that are sought, below id `before`; a supplier's CPF as this person may read it."""
    ctx.access.require(VER)
    return privacy.events(ctx.access, await audit.latest(ctx.conn, before, sought=sought))


async def ultimo_selo(ctx: Context) -> seals.Seal | None:
    """The newest seal, to be noted; None before the first."""
    ctx.access.require(VER)
    return await seals.last_seal(ctx.conn)
