"""A small database, and backups of it in a directory."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from trial_database import CONTENT, names, query, same_set

from esteio.backup import Backups
from esteio.backup.store import Stores, open_store
from esteio.postgres import Dsn
from esteio.testing import FlakyProxy, no_waits

if TYPE_CHECKING:
    from s3_server import Misbehaving

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def content(postgres_server) -> Dsn:
    """The content, made once: databases are copied from it."""
    dsn = postgres_server.create_database(f"são joão {os.getpid()}")
    query(dsn, CONTENT)
    return dsn


@pytest.fixture(scope="session")
def taken(content: Dsn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a backup of it that nobody verified yet, made once."""
    root = tmp_path_factory.mktemp("uma vez") / "cópias"
    return root / Backups(content, Stores([open_store(str(root))]), self_init=True).run(verify=False).manifest.id


@pytest.fixture
def database(postgres_server, content: Dsn) -> Iterator[Dsn]:
    """A database with a name that has to be quoted."""
    name = f"são joão {os.getpid()} {next(_numbers)}."
    dsn = postgres_server.create_database(name, template=content.database or "")
    yield dsn
    for found in names(postgres_server.dsn(), name):
        postgres_server.drop_database(found)


@pytest.fixture
def backups(database: Dsn, tmp_path: Path) -> Backups:
    """Backups of `database` in the directory `tmp_path / "cópias"`."""
    return Backups(database, Stores([open_store(str(tmp_path / "cópias"))]), self_init=True)


@pytest.fixture
def folder(backups: Backups, taken: Path, tmp_path: Path) -> Path:
    """The folder of a backup among `backups`, for a test of its own."""
    same_set(taken, tmp_path / "cópias")
    return Path(shutil.copytree(taken, tmp_path / "cópias" / taken.name))


@pytest.fixture(scope="session")
def s3_app() -> Iterator[Misbehaving]:
    """One S3 for all tests."""
    from s3_server import serving  # only tests that speak to it wait for moto

    with serving() as app:
        yield app


@pytest.fixture
def s3(s3_app: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> Iterator[Misbehaving]:
    """It, empty but for a bucket, and well-behaved until told otherwise; nobody waits between attempts."""
    from s3_server import endpoint

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    httpx2.post(endpoint(s3_app.port) + "/moto-api/reset")
    assert httpx2.put(endpoint(s3_app.port) + "/bucket").status_code == 200
    with no_waits():
        yield s3_app
    s3_app.before = None


@pytest.fixture
def proxy(s3_app: Misbehaving) -> Iterator[FlakyProxy]:
    """The way to it."""
    with FlakyProxy(("127.0.0.1", s3_app.port)) as made:
        yield made


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("only root can mount a small disk")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    yield place
    subprocess.run([umount, place], check=True)
