"""Alembic's entry; `sispat.kernel.schema` says which database, and is told the versions before and after."""

from __future__ import annotations

from alembic import context

from esteio.postgres.migrations.alembic import run_online

attributes = context.config.attributes
attributes["versions"] = run_online(context, attributes["dsn"], key=attributes["key"])
