"""A city, and its gestor, who imports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from planilhas import Importer

from esteio.postgres import Database, Dsn


@pytest.fixture
async def gestor(cidade: Dsn) -> AsyncIterator[Importer]:
    async with Database(cidade, settings={"role": "sispat_app"}, min_size=1) as db:
        yield Importer(db, await db.fetch_value("select id from usuario where papel = 'gestor'"))
