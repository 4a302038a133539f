"""Alembic's entry: the caller has opened the transaction and holds the lock (see sispat.store.esquema)."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
