"""What every use case is given: a connection, who asks, and under which request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from sispat.kernel.numbering import NumberTurn
from sispat.kernel.permissions import Access

__all__ = ["Context"]


@dataclass(frozen=True, slots=True)
class Context:
    """`request_id` is written into the audit beside the person's id."""

    conn: AsyncConnection[Any]
    access: Access
    request_id: str
    turn: NumberTurn = field(default_factory=NumberTurn, compare=False)

    @property
    def actor(self) -> UUID:
        """Who goes into the audit."""
        return self.access.usuario_id
