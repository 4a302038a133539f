"""An embedded server whose data vanishes is ended, one that says nothing is replaced, and a killed one starts again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from esteio.postgres.embedded import DataDirectoryVanished, Embedded
from esteio.postgres.embedded._data_dir import has_cluster, marker_file
from esteio.postgres.embedded._process import Postmaster, identity
from esteio.postgres.embedded._watch import Silence, Watch, answers
from esteio.testing import ManualClock

pytestmark = [pytest.mark.fault, pytest.mark.untimed]

_SETTINGS = {"fsync": "off", "shared_buffers": "32MB"}


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory with a short name that the server's account can pass."""
    home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    home.chmod(0o711)
    yield home
    shutil.rmtree(home)


Servers = Callable[..., Embedded]


@pytest.fixture
def server(home: Path) -> Iterator[Servers]:
    """Makes servers on one directory, that are stopped after the test."""
    made: list[Embedded] = []

    def make(**parameters: Any) -> Embedded:
        made.append(Embedded(home / "data", settings=_SETTINGS, **parameters))
        return made[-1]

    yield make
    for embedded in made:
        embedded.stop(timeout=5.0)


def _until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def _ask(embedded: Embedded, query: str) -> Any:
    with psycopg.connect(embedded.dsn().conninfo, autocommit=True) as conn:
        cursor = conn.execute(query)
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]


def _processes(data: tuple[int, int] | None) -> list[int]:
    """All processes that work in a directory, whatever it is called by now."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and identity(entry / "cwd") == data:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _freeze(embedded: Embedded) -> None:
    assert embedded.pid is not None
    os.kill(embedded.pid, signal.SIGSTOP)  # first, so that it starts no more
    for pid in _processes(identity(embedded.data_dir)):
        with contextlib.suppress(ProcessLookupError):  # a connection or an autovacuum worker that has just ended
            os.kill(pid, signal.SIGSTOP)


def _delete(directory: Path) -> None:
    while directory.exists():  # a running server puts files into a folder while it is being emptied
        shutil.rmtree(directory, ignore_errors=True)


# After a kill


def test_a_start_right_after_the_kill_does_not_take_the_dying_server_for_a_running_one(server: Servers) -> None:
    embedded = server()
    embedded.start()
    for _ in range(3):
        dying = embedded.pid
        assert dying is not None
        os.kill(dying, signal.SIGKILL)
        embedded.start()
        assert embedded.pid != dying
        assert _ask(embedded, "SELECT 1") == 1


_SUPERVISOR = """
import sys, time
from esteio.postgres.embedded import Embedded
server = Embedded(sys.argv[1], settings={"fsync": "off", "shared_buffers": "32MB"})
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


def test_a_killed_server_that_nobody_has_reaped_yet_is_no_obstacle(server: Servers, home: Path) -> None:
    # Its parent lives and does not look: the same as a process 1 that has not come round to it.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _SUPERVISOR, str(home / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as supervisor:
        try:
            assert supervisor.stdout is not None
            pid = int(supervisor.stdout.readline())
            supervisor.send_signal(signal.SIGSTOP)
            os.kill(pid, signal.SIGKILL)
            embedded = server()
            embedded.start()
            assert _ask(embedded, "SELECT 1") == 1
            assert Path(f"/proc/{pid}").exists(), "this test needs the remains of the old process"
        finally:
            supervisor.kill()


# Data that vanishes


@pytest.mark.parametrize("how", ["deleted", "moved", "emptied"])
def test_a_server_whose_data_vanishes_is_ended_and_no_empty_one_takes_its_place(
    server: Servers, home: Path, how: str
) -> None:
    embedded = server()
    embedded.start()
    data = identity(home / "data")
    with psycopg.connect(embedded.dsn().conninfo) as conn:
        conn.execute("SELECT 1")
        if how == "deleted":
            _delete(home / "data")
        elif how == "moved":
            (home / "data").rename(home / "elsewhere")
        else:
            for path in (home / "data").iterdir():
                _delete(path) if path.is_dir() else path.unlink(missing_ok=True)
        _until(lambda: not embedded.is_alive())
        _until(lambda: not _processes(data))
        with pytest.raises(psycopg.OperationalError):
            conn.execute("SELECT 1")
    for starts in (embedded, server()):
        with pytest.raises(DataDirectoryVanished, match="restore it from a backup"):
            starts.start()
    assert not has_cluster(home / "data")


def test_data_that_is_put_back_is_served_again(server: Servers, home: Path) -> None:
    embedded = server()
    embedded.start()
    _ask(embedded, "CREATE TABLE kept AS SELECT 7 AS n")
    (home / "data").rename(home / "elsewhere")
    _until(lambda: not embedded.is_alive())
    with pytest.raises(DataDirectoryVanished):
        embedded.start()
    (home / "elsewhere").rename(home / "data")
    embedded.start()
    assert _ask(embedded, "SELECT n FROM kept") == 7


def test_whoever_wants_to_begin_anew_has_to_say_so(server: Servers, home: Path) -> None:
    first = server()
    first.start()
    first.stop()
    shutil.rmtree(home / "data")
    with pytest.raises(DataDirectoryVanished, match=r"\.data\.cluster"):
        server().start()
    anew = server(create=True)
    anew.start()
    anew.stop()
    shutil.rmtree(home / "data")
    marker_file(home / "data").unlink()
    with pytest.raises(DataDirectoryVanished):
        server(create=False).start()
    server().start()


# Silence


def test_a_frozen_server_counts_as_dead_and_is_replaced_with_its_data(server: Servers) -> None:
    embedded = server(unresponsive_after=1.0)
    embedded.start()
    _ask(embedded, "CREATE TABLE kept AS SELECT 7 AS n")
    frozen = embedded.pid
    _freeze(embedded)
    _until(lambda: not embedded.is_alive())
    embedded.start()
    assert embedded.pid != frozen
    assert _ask(embedded, "SELECT n FROM kept") == 7


def test_a_frozen_server_that_another_left_behind_is_replaced(server: Servers) -> None:
    left = server()
    left.start()
    frozen = left.pid
    _freeze(left)
    heir = server(unresponsive_after=1.0)
    heir.start()
    assert heir.pid != frozen
    assert _ask(heir, "SELECT 1") == 1


def test_a_server_that_is_only_full_is_not_silent(server: Servers) -> None:
    embedded = server()
    embedded.start()
    with psycopg.connect(embedded.dsn().conninfo, autocommit=True) as conn:
        conn.execute("ALTER SYSTEM SET max_connections = 4")
        conn.execute("ALTER SYSTEM SET superuser_reserved_connections = 0")
    embedded.stop()
    embedded.start()
    held = [psycopg.connect(embedded.dsn().conninfo) for _ in range(4)]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(embedded.dsn().conninfo)
    assert answers(embedded._socket_dir, embedded.port)
    for conn in held:
        conn.close()


def test_a_machine_that_slept_makes_no_server_silent() -> None:
    clock = ManualClock()
    silence = Silence(clock)
    clock.advance(0.5)
    silence.note(False)
    clock.advance(8 * 3600.0)
    silence.note(False)
    assert silence.seconds < 10
    for _ in range(10):
        clock.advance(2.5)
        silence.note(False)
    assert silence.seconds > 15
    silence.note(True)
    assert silence.seconds == 0.0


def test_a_watch_tells_a_silence_only_after_its_patience(tmp_path: Path) -> None:
    clock = ManualClock()
    ended = subprocess.Popen(["true"])
    ended.wait()
    watch = Watch(Postmaster(tmp_path, ended.pid), tmp_path, lambda: False, 15.0, clock)
    for _ in range(5):
        clock.advance(2.5)
        watch.look()
    assert not watch.silent
    clock.advance(2.5)
    watch.look()
    assert watch.silent


@pytest.mark.parametrize("seconds", [0.0, 0.9, float("nan"), -1.0])
def test_an_impossible_patience_is_refused(home: Path, seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds from 1"):
        Embedded(home / "data", unresponsive_after=seconds)
