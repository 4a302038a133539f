"""Stores on real servers, closed after each test."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

pytest.importorskip("redis")
pytest.importorskip("hiredis")

from esteio.limit.redis import RedisStore

Make = Callable[..., RedisStore]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Makes a `RedisStore` with a budget that a busy machine does not use up, unless told otherwise."""
    made: list[RedisStore] = []

    def store(url: str, **settings: Any) -> RedisStore:
        made.append(RedisStore(url, **{"budget": 10.0, **settings}))
        return made[-1]

    yield store
    for each in made:
        await each.close()
