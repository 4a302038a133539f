"""A small database, and backups of it in a directory."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from trial_database import CONTENT, names, query

from esteio.backup import Backups
from esteio.backup.store import Stores, open_store
from esteio.postgres import Dsn

_numbers = itertools.count(1)


@pytest.fixture
def database(postgres_server) -> Iterator[Dsn]:
    """A database with a name that has to be quoted."""
    name = f"são joão {os.getpid()} {next(_numbers)}."
    dsn = postgres_server.create_database(name)
    query(dsn, CONTENT)
    yield dsn
    for found in names(postgres_server.dsn(), name):
        postgres_server.drop_database(found)


@pytest.fixture
def backups(database: Dsn, tmp_path: Path) -> Backups:
    """Backups of `database` in the directory `tmp_path / "cópias"`."""
    return Backups(database, Stores([open_store(str(tmp_path / "cópias"))]))
