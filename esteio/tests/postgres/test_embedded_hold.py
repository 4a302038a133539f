"""While a data directory is being replaced no server starts on it, and a replacement that was cut off is completed."""

from __future__ import annotations

import logging
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from esteio.postgres.embedded import DataDirectoryHeld, Embedded, Hold, StartFailed

_FAST = {"fsync": "off", "shared_buffers": "32MB"}
_KILLED = """
import os, signal, sys
from pathlib import Path
from esteio.postgres.embedded import Hold
data, moment = Path(sys.argv[1]), sys.argv[2]
new, kept = data.with_name("new"), data.with_name("kept")
with Hold(data, "a restore") as hold:
    hold.replacing(new)
    if moment != "before":
        data.rename(kept)
    if moment == "after":
        new.rename(data)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def made_before() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    home.chmod(0o711)
    server = Embedded(home / "data", settings=_FAST)
    server.start()
    server.stop()
    yield server.data_dir
    shutil.rmtree(home)


@pytest.fixture
def data(made_before: Path) -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    home.chmod(0o711)
    _copy(made_before, home / "data")
    yield home / "data"
    shutil.rmtree(home)


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True)
    owner = source.stat()
    for path in (target, *target.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)


def test_a_start_waits_for_the_hold_says_why_and_goes_on_at_once(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = Embedded(data, settings=_FAST)
    starting = threading.Thread(target=server.start)
    with caplog.at_level(logging.WARNING), Hold(data, "a restore"):
        starting.start()
        while "process" not in caplog.text:
            time.sleep(0.01)
        assert "holds it (a restore)" in caplog.text
        assert not server.is_alive()
    starting.join(30)
    try:
        assert server.is_alive()
        with Hold(data, "a server that runs is no obstacle"):
            other = Embedded(data, settings=_FAST)
            assert other.adopt()
            assert other.pid == server.pid
    finally:
        server.stop()
    assert not Embedded(data).adopt()


def test_a_start_that_waits_can_be_given_up(data: Path) -> None:
    server, failed = Embedded(data, settings=_FAST), []

    def start() -> None:
        try:
            server.start()
        except StartFailed as error:
            failed.append(str(error))

    with Hold(data, "a restore"):
        starting = threading.Thread(target=start)
        starting.start()
        time.sleep(0.1)
        server.stop()
        starting.join(10)
        assert "held until the start was given up" in failed[0]
        with pytest.raises(DataDirectoryHeld, match="is replacing it; wait until that has ended"), Hold(data, "two"):
            pytest.fail("two at once")


@pytest.mark.parametrize(("moment", "there"), [("before", "old"), ("between", "new"), ("after", "new")])
def test_whoever_is_killed_while_replacing_leaves_the_old_or_the_new_one(
    data: Path, made_before: Path, moment: str, there: str
) -> None:
    _copy(made_before, data.with_name("new"))
    (data / "which").write_text("old")
    (data.with_name("new") / "which").write_text("new")
    done = subprocess.run([sys.executable, "-c", _KILLED, str(data), moment], check=False, timeout=30)
    assert done.returncode == -signal.SIGKILL
    server = Embedded(data, settings=_FAST)
    server.start()
    try:
        assert (data / "which").read_text() == there
        assert (data.with_name(".data.hold")).read_text() == ""
    finally:
        server.stop()


def test_an_interrupt_between_the_two_renames_ends_with_the_new_one(data: Path) -> None:
    data.with_name("new").mkdir()

    def replace() -> None:
        with Hold(data, "a restore") as hold:
            hold.replacing(data.with_name("new"))
            data.rename(data.with_name("kept"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace()
    assert sorted(path.name for path in data.parent.iterdir()) == [".data.hold", "data", "kept"]
    assert list(data.iterdir()) == []
