"""Fixtures with real servers: name this module in `pytest_plugins`.

Promises: a server is started when the first test asks for it, once per session; importing this module
needs neither a driver nor a server.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from esteio.testing.postgres import PostgresServer
    from esteio.testing.redis import RedisServer

__all__ = ["postgres_database", "postgres_server", "redis_server", "redis_url"]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running `PostgresServer`, shared by all tests of the session; a test that breaks one starts its own."""
    from esteio.testing.postgres import PostgresServer

    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a new, empty database that is dropped after the test."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    yield postgres_server.create_database(name).url
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A running `RedisServer`, shared by all tests of the session; a test that breaks one starts its own."""
    pytest.importorskip("redis")
    from esteio.testing.redis import RedisServer, RedisServerMissing

    server = RedisServer()
    try:
        server.start()
        yield server
    except RedisServerMissing as missing:
        pytest.skip(str(missing))
    finally:
        server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of the shared server, emptied for this test."""
    with redis_server.client() as client:
        client.flushall()
    return redis_server.url
