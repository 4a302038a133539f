"""Random faults over a running archive: afterwards every confirmed commit comes back from each store alone.

Or what `status` goes by says that a base backup is due: where the slot was lost, because the server wrote more than it keeps
while nobody received. With hundreds of faults on a busy disk that happens: each kill of the server also sets the slot back
to where it was at the last checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from esteio.backup import Manifest
from esteio.backup._files import BackupWriter
from esteio.backup.archive import inventory, read_status
from esteio.backup.base import take_base
from esteio.backup.packing import Packing
from esteio.backup.restore import plan, recover
from esteio.backup.restore._plan import base_backup_due
from esteio.backup.store import Stores, open_store
from esteio.backup.tools import Toolbox
from esteio.postgres.embedded import Embedded

FAULTS = int(os.environ.get("ESTEIO_WAL_FAULTS", "8"))
AGENT = Path(__file__).with_name("wal_agent.py")


@pytest.fixture
def home() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


class City:
    """A server, somebody who writes, and the archive in a process of its own; each is started again when it ended."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for name in ("near", "far", "spool"):
            (home / name).mkdir()
        # Not fsync: only processes are killed here, not the machine. Four segments a second are kept for minutes.
        settings = {"shared_buffers": "32MB", "fsync": "off", "max_slot_wal_keep_size": "16GB"}
        self.server = Embedded(home / "data", settings=settings)
        self.server.start()
        with self._connected() as conn:
            conn.execute("CREATE TABLE written (n int PRIMARY KEY)")
        self.confirmed: list[int] = []
        self._ending = threading.Event()
        self.agent: subprocess.Popen[bytes] | None = None
        self._log = (home / "agent.log").open("ab")
        self.keep_agent()
        stores = Stores([open_store(str(home / name)) for name in ("near", "far")])
        draft = BackupWriter(stores, "base", Packing(level=1))
        self.base: Manifest = take_base(draft, Toolbox(18), self.server.dsn())
        draft.finish(self.base)
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def _connected(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.server.dsn().conninfo, autocommit=True, connect_timeout=2)

    def _write(self) -> None:
        number = 0
        while not self._ending.is_set():
            with contextlib.suppress(psycopg.Error), self._connected() as conn:
                while not self._ending.wait(0.005):
                    number += 1
                    conn.execute("INSERT INTO written VALUES (%s)", [number])
                    self.confirmed.append(number)
                    if number % 50 == 0:
                        conn.execute("SELECT pg_switch_wal()")
            self._ending.wait(0.1)

    def keep_agent(self) -> None:
        deadline = time.monotonic() + 60
        while self.agent is None or self.agent.poll() is not None:
            if self.agent is not None and self.agent.stdout is not None:
                self.agent.stdout.close()
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            command = [sys.executable, str(AGENT), self.server.dsn().url, str(self.home)]
            self.agent = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=self._log)
            assert self.agent.stdout is not None
            if not self.agent.stdout.readline():  # it could not start, as when the server was killed: it is tried again
                assert self.agent.wait(30) is not None
                assert time.monotonic() < deadline, (self.home / "agent.log").read_text()[-2000:]

    # What goes wrong

    def kill_agent(self) -> None:
        assert self.agent is not None
        self.agent.kill()
        self.agent.wait()

    def kill_receiver(self) -> None:
        assert self.agent is not None
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended, of the fault before
            for child in psutil.Process(self.agent.pid).children(recursive=True):
                child.send_signal(signal.SIGKILL)

    def kill_server(self) -> None:
        pid = self.server.pid
        assert pid is not None
        children = psutil.Process(pid).children(recursive=True)
        for process in (psutil.Process(pid), *children):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(children, timeout=30)
        self.server.stop(0.0)
        self.server.start()

    def store_fault(self, place: str, kind: str) -> None:
        path = self.home / place
        if kind == "down":
            path.rename(path.with_suffix(".out"))
            path.write_text("no directory")
        else:
            path.with_suffix(".fault").write_text(kind)

    def leap(self, seconds: float) -> None:
        (self.home / "clock").write_text(str(seconds))

    def heal(self) -> None:
        for place in ("near", "far"):
            path = self.home / place
            path.with_suffix(".fault").unlink(missing_ok=True)
            if path.is_file():
                path.unlink()
                path.with_suffix(".out").rename(path)
        self.keep_agent()

    def end(self) -> None:
        self._ending.set()
        self._writer.join()
        if self.agent is not None and self.agent.poll() is None:
            self.kill_agent()
        if self.agent is not None and self.agent.stdout is not None:
            self.agent.stdout.close()
        self._log.close()
        self.server.stop()

    def all_shipped(self) -> None:
        """Nothing is written any more; wait until all there is is complete and in each store."""
        self._ending.set()
        self._writer.join()
        with self._connected() as conn:
            conn.execute("SELECT pg_current_xact_id()")
            row = conn.execute("SELECT pg_walfile_name(pg_current_wal_lsn())").fetchone()
            conn.execute("SELECT pg_switch_wal()")
        assert row is not None
        system = str(self.base.details["system_identifier"])
        spool = self.home / "spool/.wal" / system

        def there(place: str) -> bool:
            return bool(list((self.home / place / "wal" / system).glob(f"*/{row[0]}-*")))

        # However much there is to catch up with on a busy disk: it has to go on.
        moved, seen = time.monotonic(), 0
        while not all(map(there, ("near", "far"))) or any(spool.glob("?" * 24)):
            self.keep_agent()
            if (now := sum(1 for place in ("near", "far") for _ in (self.home / place / "wal").rglob("*-*"))) > seen:
                moved, seen = time.monotonic(), now
            assert time.monotonic() < moved + 60, (
                f"{read_status(spool.parent)}\n{sorted(each.name for each in spool.iterdir())} up to {row[0]}\n"
                f"{(self.home / 'agent.log').read_text()[-2000:]}"
            )
            time.sleep(0.1)


def faults(city: City, choice: random.Random) -> tuple[str, Callable[[], None]]:
    place = choice.choice(["near", "far"])
    kind = choice.choice(["down", "slow", "full", "cut", "denied", "agent", "receiver", "server", "clock"])
    if kind in ("agent", "receiver", "server"):
        return kind, getattr(city, f"kill_{kind}")
    if kind == "clock":
        return kind, lambda: city.leap(choice.choice([-86400.0, 86400.0 * 400, 0.0]))
    return kind, lambda: city.store_fault(place, kind)


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(240 + 10 * FAULTS)
def test_after_random_faults_every_confirmed_commit_comes_back_from_each_store_alone(home: Path) -> None:
    seed = int(os.environ.get("ESTEIO_WAL_SEED", random.randrange(1 << 30)))
    choice, happened = random.Random(seed), Counter[str]()
    city = City(home)
    print("seed", seed)
    try:
        for _ in range(FAULTS):
            kind, strike = faults(city, choice)
            happened[kind] += 1
            strike()
            time.sleep(choice.uniform(0.1, 1.0))  # how long it lasts is a part of the fault
            if choice.random() < 0.7 or kind == "down":  # else it meets the next one
                city.heal()
        city.heal()
        city.all_shipped()
        status = read_status(home / "spool/.wal")
    finally:
        city.end()
    wanted = set(city.confirmed)
    assert wanted
    for place in ("near", "far"):
        stores = Stores([open_store(str(home / place))])
        log = inventory(stores, home / "nowhere", 1 << 24, str(city.base.details["system_identifier"]))
        found = plan([city.base], log, None, name="city")
        recover(found, home / f"from-{place}", stores, Toolbox(18), lambda _: None)
        back = Embedded(home / f"from-{place}", settings={"shared_buffers": "32MB"})
        back.start()
        try:
            with psycopg.connect(back.dsn().conninfo) as conn:
                there = {n for (n,) in conn.execute("SELECT n FROM written")}
        finally:
            back.stop()
        missing = wanted - there
        due = base_backup_due(city.base, sound=True, log=log)
        print(
            f"seed {seed}: {dict(happened)}; {len(wanted)} commits, {len(missing)} missing in {place}; {due or 'green'}"
        )
        assert not missing or due, (seed, status)
