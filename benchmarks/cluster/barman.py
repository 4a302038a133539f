"""Barman (PyPI or Debian) on the same server: its copy by pg_basebackup, its recovery by rsync.

`Barman.missing` says why it can't be measured. Its recovery ends when the files are there; no server has run on them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path

from esteio.backup.tools import Toolbox
from esteio.postgres import Dsn

__all__ = ["Barman", "BarmanFailed"]

CONFIGURATION = """
[barman]
barman_user = {account}
barman_home = {home}
barman_lock_directory = {home}
log_file = {home}/barman.log
configuration_files_directory = {home}/none
[city]
description = "the demo's city"
conninfo = {conninfo}
streaming_conninfo = {conninfo}
backup_method = postgres
streaming_archiver = on
slot_name = barman
create_slot = auto
path_prefix = {programs}
immediate_checkpoint = true
"""


class BarmanFailed(Exception):
    """It could not be set up for this server."""


class Barman:
    """Set up in `home`, which is made, for the server at `dsn`."""

    def __init__(self, dsn: Dsn, home: Path) -> None:
        self._home = home
        self._conf = home / "barman.conf"
        home.mkdir()
        self._conf.write_text(
            CONFIGURATION.format(
                account=pwd.getpwuid(os.geteuid()).pw_name,
                home=home,
                conninfo=dsn.with_(database="postgres").conninfo,
                programs=Toolbox(18).directory,
            )
        )
        self._receiving: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> str | None:
        """Why it can't be measured here; None when it can."""
        if _program() is None:
            return "barman is not installed (pip install -r benchmarks/requirements.txt)"
        if shutil.which("rsync") is None:
            return "barman recovers with rsync, which is not installed"
        return None

    def start(self) -> None:
        """Let it receive the log, which it wants before it makes a backup; BarmanFailed."""
        self.run("receive-wal", "--create-slot", "city", check=False)
        quiet = subprocess.DEVNULL
        self._receiving = subprocess.Popen(self._command("receive-wal", "city"), stdout=quiet, stderr=quiet)
        deadline = time.monotonic() + 60
        while not any(self._home.glob("city/streaming/*.partial")):
            if time.monotonic() > deadline:
                raise BarmanFailed("it receives no log within 60 s")
            time.sleep(0.1)
        self.run("switch-wal", "--force", "--archive", "--archive-timeout", "60", "city")

    def stop(self) -> None:
        """End what `start` began."""
        self.run("receive-wal", "--stop", "city", check=False)
        if self._receiving is not None:
            self._receiving.terminate()
            self._receiving.wait(30)
        self.run("receive-wal", "--drop-slot", "city", check=False)

    def backup(self) -> list[str]:
        """The command that makes a backup."""
        return self._command("backup", "city")

    def recover(self, directory: Path) -> list[str]:
        """The command that makes `directory` from the newest."""
        return self._command("recover", "city", "latest", str(directory))

    def run(self, *arguments: str, check: bool = True) -> None:
        """Run it to its end; BarmanFailed."""
        done = subprocess.run(self._command(*arguments), check=False, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise BarmanFailed(f"{arguments[0]}: {done.stdout}{done.stderr}")

    def _command(self, *arguments: str) -> list[str]:
        return [str(_program()), "-c", str(self._conf), *arguments]


def _program() -> Path | None:
    beside = Path(sys.executable).with_name("barman")
    found = str(beside) if beside.exists() else shutil.which("barman")
    return Path(found) if found else None
