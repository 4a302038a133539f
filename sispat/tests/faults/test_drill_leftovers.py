"""Only what a drill left whose process is gone is removed, also where another process has its number by now."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from esteio.testing.redis import RedisServer
from sispat.drill.leftovers import own_folder


def test_what_a_dead_drill_left_is_removed_with_its_processes_and_what_a_living_one_has_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tmp_path = Path(tempfile.mkdtemp(prefix="d-"))  # short: a socket's path has 107 bytes at most
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("TMPDIR", raising=False)
    me = psutil.Process()
    living = tmp_path / f"sispat-drill-{me.pid}-{me.create_time() + 1:.0f}"
    reused = tmp_path / f"sispat-drill-{me.pid}-{me.create_time() - 60:.0f}"
    foreign = tmp_path / "sispat-drill-notes"
    for folder in (living, reused, foreign):
        (folder / "dados").mkdir(parents=True)
    sleeps = [sys.executable, "-c", "import time; time.sleep(600)"]
    processes = {
        folder: subprocess.Popen(sleeps, env={**os.environ, "SISPAT_DATA_DIR": str(folder / "dados")})
        for folder in (living, reused, foreign)
    }
    with monkeypatch.context() as there:
        there.setattr(tempfile, "tempdir", str(reused))
        redis = RedisServer()  # it writes over its environment and its command line
    try:
        redis.start()
        with own_folder() as left:
            assert left == [reused]
            assert not reused.exists()
            processes[reused].wait(10)  # how it ended only who reaped it knows
            assert not redis.answers()
            assert tempfile.gettempdir() == os.environ["TMPDIR"] != str(tmp_path)
            mine = Path(tempfile.mkdtemp())
            assert mine.parent.parent == tmp_path
        assert not mine.parent.exists()
        assert (tempfile.gettempdir(), os.environ.get("TMPDIR")) == (str(tmp_path), None)
        for folder in (living, foreign):
            assert (folder / "dados").is_dir()
            assert processes[folder].poll() is None
    finally:
        redis.stop()
        for process in processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(tmp_path)
