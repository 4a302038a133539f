"""Reading the audit."""

from __future__ import annotations

from typing import Any

from sispat.domain.permissoes import Acao
from sispat.store import eventos
from sispat.usecases.contexto import Contexto

__all__ = ["ultimos"]


async def ultimos(ctx: Contexto, antes_de: int | None = None) -> list[dict[str, Any]]:
    """The newest hundred records below id `antes_de`."""
    ctx.acesso.exigir(Acao.AUDITORIA_VER)
    return await eventos.ultimos(ctx.conn, antes_de)
