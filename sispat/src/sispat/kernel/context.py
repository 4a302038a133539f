"""What every use case is given: a connection, who asks, and under which request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from sispat.kernel.audit import Author
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

    @property
    def author(self) -> Author:
        """All that the audit says of who asked."""
        return Author(self.actor, self.key_id, self.request_id)

    @property
    def key_id(self) -> UUID | None:
        """The API key that goes into the audit beside an integration."""
        return self.access.key_id
