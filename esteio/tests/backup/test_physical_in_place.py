"""An embedded server brought back to a moment while it runs, and started again by whoever keeps it up."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from esteio.backup import Backups, NotConfirmed, RestoreRefused
from esteio.backup.cluster import require_stopped
from esteio.backup.store import Stores, open_store
from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded

pytestmark = pytest.mark.timeout(180)

_SETTINGS = {"fsync": "off", "shared_buffers": "32MB"}


class House:
    """A server with one base backup in which `kept` has a row, and a supervisor of it in a thread."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.server = Embedded(home / "data", settings=_SETTINGS)
        self.server.start()
        self.paper = home / "uploads" / "paper"
        self.paper.parent.mkdir()
        self.paper.write_text("then")
        stores = Stores([open_store(str(home / "disk"))])
        self.backups = Backups(self.server.dsn(), stores, documents=self.paper.parent, self_init=True)
        self.run("CREATE TABLE kept AS SELECT 1 AS n")
        self.backups.run(kind="base", verify=False)
        self.paper.write_text("now")
        self.closed: list[str] = []
        self._end = threading.Event()
        self._supervisor = threading.Thread(target=self._keep)
        self._supervisor.start()

    def _keep(self) -> None:
        while not self._end.wait(0.05):
            if not self.server.is_alive():
                self.server.start()

    def run(self, statement: str) -> None:
        with psycopg.connect(self.server.dsn().conninfo, autocommit=True) as conn:
            conn.execute(statement)

    def count(self) -> int:
        deadline = time.monotonic() + 20
        while True:
            try:
                with psycopg.connect(self.server.dsn().conninfo) as conn:
                    row = conn.execute("SELECT count(*) FROM kept").fetchone()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                assert row is not None
                return int(row[0])

    @contextmanager
    def quiet(self) -> Iterator[None]:
        self.closed.append("on")
        try:
            yield
        finally:
            self.closed.append("off")

    def ours(self) -> Embedded:
        """As another process sees it."""
        return Embedded(self.home / "data", settings=_SETTINGS)

    def end(self) -> None:
        self._end.set()
        self._supervisor.join()
        self.server.stop()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    home.chmod(0o711)
    made = House(home)
    yield made
    made.end()
    shutil.rmtree(home)


def test_what_cannot_be_reached_is_refused_before_the_service_is_closed(house: House) -> None:
    house.closed.clear()
    running = house.server.pid
    with pytest.raises(RestoreRefused, match="what can be reached"):
        house.backups.recover_server(
            house.ours(), lambda _: True, datetime.now(UTC) + timedelta(days=1), quiet=house.quiet()
        )
    with pytest.raises(NotConfirmed):
        house.backups.recover_server(house.ours(), lambda name: name != "data", quiet=house.quiet())
    assert house.closed == []
    assert house.server.pid == running


def test_what_a_killed_restore_was_putting_in_place_is_no_leftover(house: House) -> None:
    left = house.home / "other.restoring-20260101_000000"
    left.mkdir()
    (house.home / ".other.hold").write_text(json.dumps({"pid": 1, "reason": "a restore", "new": str(left)}))
    with pytest.raises(NotConfirmed):
        house.backups.recover_server(Embedded(house.home / "other"), lambda _: False)
    assert (house.home / "other").is_dir()
    shutil.rmtree(house.home / "other")
    (house.home / ".other.hold").unlink()


def test_a_pid_that_another_program_has_now_refuses_no_restore(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    lines = [str(os.getpid()), str(data), "1", "5432", str(tmp_path), "localhost", "1 1"]
    (data / "postmaster.pid").write_text("\n".join(lines))
    require_stopped(data)


def test_a_server_that_runs_refuses_one(house: House) -> None:
    with pytest.raises(RestoreRefused, match="a server runs on it; stop the service first"):
        require_stopped(house.home / "data")


def test_a_mount_point_is_found_before_anything_is_copied(tmp_path: Path, small_disk: Path) -> None:
    backups = Backups(Dsn(), Stores([open_store(str(tmp_path / "none"))]), self_init=True)
    with pytest.raises(RestoreRefused, match="it is a mount point, which can't be renamed"):
        backups.recover_in_place(small_disk, lambda _name: pytest.fail("asked although it cannot work"))


def test_an_interrupt_leaves_the_old_directory_and_a_server_that_comes_back(house: House) -> None:
    house.closed.clear()
    house.run("INSERT INTO kept SELECT 2")
    before = house.count()

    def interrupt(now: str, done: int, total: int, unit: str) -> None:
        if now == "swap":  # the server is stopped already
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        house.backups.recover_server(house.ours(), lambda _: True, None, interrupt, quiet=house.quiet())
    assert house.closed == ["on", "off"]
    assert house.count() == before
    assert sorted(path.name for path in house.home.iterdir()) == [
        ".data.cluster",
        ".data.hold",
        "data",
        "disk",
        "uploads",
    ]
    assert house.paper.read_text() == "now"


def test_the_server_goes_on_until_the_new_directory_is_ready_and_is_started_again_at_once(house: House) -> None:
    house.run("INSERT INTO kept SELECT 2")
    left = house.home / "data.restoring-20260101_000000"
    left.mkdir()
    (left / "rest").write_text("of a restore that was killed")
    before, served, finished = house.count(), [], threading.Event()

    def work() -> None:
        with psycopg.connect(house.server.dsn().conninfo) as conn:
            conn.execute("INSERT INTO kept SELECT 3 FROM pg_sleep(0.5)")
        finished.set()

    def look(step: str, done: int, total: int, unit: str) -> None:
        if step == "stop":
            served.append(house.count())
            threading.Thread(target=work).start()
            time.sleep(0.2)

    done, kept = house.backups.recover_server(house.ours(), lambda name: name == "data", None, look)
    assert served == [before]
    assert finished.is_set(), "what was under way was waited for"
    assert house.count() == 1
    assert house.paper.read_text() == "then"
    assert done.directory == house.home / "data"
    assert kept is not None
    assert not left.exists()
    shutil.rmtree(kept)


def test_a_running_server_with_a_tablespace_is_restored_and_what_was_in_it_stays(house: House) -> None:
    """Last in this file: it makes another base."""
    fast = house.home / "fast"
    fast.mkdir(mode=0o700)
    house.server.account.own(fast)
    house.run(f"CREATE TABLESPACE fast LOCATION '{fast}'")
    house.run("CREATE TABLE quick TABLESPACE fast AS SELECT 7 AS n")
    house.backups.run(kind="base", verify=False)
    house.run("INSERT INTO quick SELECT 8")
    _, kept = house.backups.recover_server(house.ours(), lambda _: True)
    assert kept is not None
    house.count()  # it answers again
    with psycopg.connect(house.server.dsn().conninfo) as conn:
        assert conn.execute("SELECT n FROM quick").fetchall() == [(7,)]
        where = "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'fast'"
        (location,) = conn.execute(where).fetchone() or ("",)
    assert Path(location).is_relative_to(house.home / "data")
    old = Embedded(kept, create=False)
    old.start()
    try:
        with psycopg.connect(old.dsn().conninfo) as conn:
            assert conn.execute("SELECT n FROM quick ORDER BY n").fetchall() == [(7,), (8,)]
            assert conn.execute(where).fetchone() == (str(fast),)
    finally:
        old.stop()
    shutil.rmtree(kept)
