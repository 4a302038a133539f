"""kill -9 during a verification: the server of it ends with its process, and the next run removes what is left."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from esteio.backup import Backups, VerificationFailed
from esteio.backup.store import Stores, open_store
from esteio.backup.verify._directory import VerificationDirectory, remove_leftovers
from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded, server_runs

VERIFYING = """
import sys, time
from pathlib import Path
from esteio.backup import Backups
from esteio.backup.store import Stores, open_store
from esteio.postgres import Dsn
from esteio.postgres.embedded import server_runs

url, store, scratch, kind = sys.argv[1:]

def progress(step, *about):
    if any(server_runs(path) for path in Path(scratch).glob("esteio-trial-*/data")):
        print("server", flush=True)
        time.sleep(600)

Backups(Dsn.parse(url), Stores([open_store(store)]), scratch=Path(scratch), self_init=True).run(progress, kind=kind)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A place the server's account can reach: another pytest that starts closes the one above `tmp_path` again."""
    made = Path(tempfile.mkdtemp(prefix="esteio-test-killed-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def wait_until(condition, what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.parametrize("kind", ["dump", "base"])
def test_a_killed_verification_leaves_no_server_and_the_next_run_removes_its_directory(
    kind: str, database: Dsn, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scratch = home / "scratch"
    scratch.mkdir()
    scratch.chmod(0o711)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", VERIFYING, database.url, str(home / "store"), str(scratch), kind]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"server\n"
        (data,) = scratch.glob("esteio-trial-*/data")
        assert server_runs(data)
        assert remove_leftovers(scratch, now=time.time() + 1e6) == ()  # somebody works in it
        running.kill()
    wait_until(lambda: not server_runs(data), "the server outlived its verification")
    assert data.exists()
    backups = Backups(database, Stores([open_store(str(home / "store"))]), scratch=scratch)
    with caplog.at_level(logging.WARNING, "esteio.backup"):
        try:
            backups.verify()
        except VerificationFailed:
            pytest.fail(str(backups.entries()[-1].verification))  # with what the programs said
    assert list(scratch.iterdir()) == []
    assert f"removed {data.parent}: left by a verification that was killed" in caplog.text


def test_a_server_that_outlived_its_verification_is_ended_by_the_next(home: Path) -> None:
    left, old = home / "esteio-trial-left", home / "esteio-trial-old"
    for path in (left, old):
        path.mkdir(mode=0o711)
        path.chmod(0o711)
    (left / "lock").touch()
    server = Embedded(left / "data", settings={"fsync": "off"})
    server.start()
    with VerificationDirectory(home) as made:
        assert sorted(home.iterdir()) == sorted((made, old))  # without a lock it may be of an older release
        assert not server.is_alive()
        assert remove_leftovers(home, now=time.time() + 25 * 3600) == (old,)
    assert list(home.iterdir()) == []
    server.stop()
