"""Schema changes, in order. Each one is SQL, runs in one transaction with all others, and is never edited once released."""

from __future__ import annotations

from esteio.postgres.migrations.alembic import execute as executar

__all__ = ["executar"]
