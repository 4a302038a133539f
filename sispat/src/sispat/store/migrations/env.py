"""Alembic's entry; `sispat.store.esquema` says which database, and is told the versions before and after."""

from __future__ import annotations

from alembic import context

from esteio.postgres.migrations.alembic import run_online

dados = context.config.attributes
dados["versoes"] = run_online(context, dados["dsn"], each=False, key=dados["key"])
