"""A service's view of its database, against a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from esteio.postgres import Database


@pytest.fixture
async def database(postgres_database: str) -> AsyncIterator[Database]:
    async with Database(postgres_database) as database:
        yield database


async def test_a_value_comes_back(database: Database) -> None:
    assert await database.fetch_value("SELECT 41 + %s", [1]) == 42
