"""The operator's command line as whoever asks.

Promises: whoever has it needs no role; the audit names no person and says "linha de comando" in place of a request.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from sispat.kernel.context import Context
from sispat.kernel.permissions import Access, Papel

__all__ = ["actor_of", "operator_context"]

_NAME = "linha de comando"
_NOBODY = UUID(int=0)  # no account has it


def operator_context(conn: AsyncConnection[Any]) -> Context:
    """What use cases are given by the command line."""
    return Context(conn, Access(_NOBODY, _NAME, "", Papel.ADMINISTRADOR), _NAME)


def actor_of(ctx: Context) -> UUID | None:
    """Who goes into the audit; None for the command line."""
    return None if ctx.actor == _NOBODY else ctx.actor
