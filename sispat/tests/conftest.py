"""Databases for the tests of the service: migrated once per session, copied for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from esteio.postgres import Dsn
    from esteio.testing._postgres import PostgresServer

_numeros = itertools.count(1)


@pytest.fixture(scope="session")
def modelo(postgres_server: PostgresServer) -> Iterator[str]:
    """The name of a migrated, empty database, to be used as a template only."""
    from sispat.store.esquema import migrar

    nome = f"modelo_{os.getpid()}"
    migrar(postgres_server.create_database(nome))
    yield nome
    postgres_server.drop_database(nome)


@pytest.fixture
def banco(postgres_server: PostgresServer, modelo: str) -> Iterator[Dsn]:
    """The address of a migrated, empty database of this test's own."""
    nome = f"banco_{os.getpid()}_{next(_numeros)}"
    yield postgres_server.create_database(nome, template=modelo)
    postgres_server.drop_database(nome)
