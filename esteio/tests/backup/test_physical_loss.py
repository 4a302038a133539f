"""Everything is killed at a random moment and the data directory is gone: what is left is the backup directory."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from esteio.backup import Manifest
from esteio.backup.archive import inventory
from esteio.backup.cluster import swap
from esteio.backup.restore import plan, recover
from esteio.backup.store import Stores, open_store
from esteio.backup.tools import Toolbox
from esteio.postgres.embedded import Embedded

ROUNDS = int(os.environ.get("ESTEIO_LOSS_ROUNDS", "1"))
PROGRAM = Path(__file__).with_name("archived_server.py")


@pytest.fixture
def home() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


class Writing:
    """The program under way, and when each of its commits was confirmed."""

    def __init__(self, home: Path) -> None:
        self.confirmed: dict[int, float] = {}
        self.server = self.base = ""
        self.child = subprocess.Popen(
            [sys.executable, PROGRAM, home],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            word, _, rest = line.decode().strip().partition(" ")
            if word == "pid":
                self.server = rest
            elif word == "base":
                self.base = rest
            else:
                self.confirmed[int(word)] = time.monotonic()

    def kill(self) -> float:
        """Kill the program, the server and the receiver; when that was."""
        victims = [self.child.pid, *(p.pid for p in psutil.Process(self.child.pid).children(recursive=True))]
        if self.server:
            with contextlib.suppress(psutil.NoSuchProcess):
                victims += [p.pid for p in psutil.Process(int(self.server)).children(recursive=True)]
            victims.append(int(self.server))
        now = time.monotonic()
        for pid in dict.fromkeys(victims):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        self.child.wait()
        self._reader.join()
        end = now + 30
        while any(map(psutil.pid_exists, victims)) and time.monotonic() < end:
            time.sleep(0.05)  # until who inherited them has buried them: PostgreSQL takes a dead one for alive
        assert self.child.stdout is not None
        self.child.stdout.close()
        return now


@pytest.mark.fault
@pytest.mark.timeout(120 + 120 * ROUNDS)
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_after_the_loss_of_everything_but_the_backup_less_than_a_second_is_missing(round_: int, home: Path) -> None:
    writing = Writing(home)
    try:
        deadline = time.monotonic() + 90
        while not len(writing.confirmed) > 20:
            assert writing.child.poll() is None, "the program ended"
            assert time.monotonic() < deadline, "no commit in time"
            time.sleep(0.05)
        time.sleep(random.uniform(0.5, 5.0))  # the moment
    finally:
        killed = writing.kill()
    shutil.rmtree(home / "data")

    began = time.monotonic()
    stores = Stores([open_store(str(home / "disk"))])
    with stores.get(f"{writing.base}/manifest.json") as source:
        base = Manifest.from_json(source.read())
    log = inventory(stores, home / "disk" / ".wal", 1 << 24, base.details["system_identifier"])
    restored = recover(plan([base], log, None, name="city"), home / "new", stores, Toolbox(18), lambda _: None)
    swap(restored.directory, home / "data", now=time.time())
    server = Embedded(home / "data", settings={"shared_buffers": "64MB"})
    server.start()
    took = time.monotonic() - began
    try:
        with psycopg.connect(server.dsn().conninfo) as conn:
            there = {n for (n,) in conn.execute("SELECT n FROM written")}
            size = conn.execute("SELECT pg_database_size('postgres')").fetchone()
    finally:
        server.stop()
    lost = {n: killed - at for n, at in writing.confirmed.items() if n not in there}
    print(
        f"{len(writing.confirmed)} commits, {len(lost)} lost, the oldest {max(lost.values(), default=0) * 1000:.0f} ms "
        f"before the end; back after {took:.1f} s ({size and size[0] >> 20} MiB, {len(log)} segments)"
    )
    assert max(lost.values(), default=0.0) <= 1.0
    assert there >= {n for n in writing.confirmed if n not in lost}
