"""Schema changes, in order. Each one is SQL, runs in one transaction with all others, and is never edited once released."""

from __future__ import annotations

from alembic import op

__all__ = ["executar"]


def executar(sql: str) -> None:
    """Run `sql` (any number of statements) as PostgreSQL reads it: no placeholder of any layer is interpreted."""
    op.get_bind().connection.driver_connection.execute(sql)  # type: ignore[union-attr]
