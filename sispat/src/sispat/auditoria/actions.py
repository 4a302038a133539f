"""Reading the audit."""

from __future__ import annotations

from typing import Any

from sispat.auditoria.rules import VER
from sispat.kernel import audit
from sispat.kernel.context import Context

__all__ = ["ultimos"]


async def ultimos(ctx: Context, sought: audit.Sought, before: int | None = None) -> list[dict[str, Any]]:
    """The newest hundred records that are sought, below id `before`."""
    ctx.access.require(VER)
    return await audit.latest(ctx.conn, before, sought=sought)
