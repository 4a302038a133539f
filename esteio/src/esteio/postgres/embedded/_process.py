"""The server's main process, whether we started it or found it running.

Promises: a process id that meanwhile belongs to another program is never taken for the server and never
signalled.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Postmaster", "PostmasterFile", "read_postmaster_file"]


@dataclass(frozen=True, slots=True)
class PostmasterFile:
    """What `postmaster.pid` says."""

    pid: int
    port: int
    socket_dir: Path


def read_postmaster_file(directory: Path) -> PostmasterFile | None:
    """The content of the pid file in `directory`; None when there is none or it is not complete yet."""
    try:
        lines = (directory / "postmaster.pid").read_text().splitlines()
        return PostmasterFile(int(lines[0]), int(lines[3]), Path(lines[4]))
    except (OSError, ValueError, IndexError):
        return None


class Postmaster:
    """A running server on `directory`; `child` when this process started it."""

    def __init__(self, directory: Path, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self._directory = directory
        self.pid = pid
        self._child = child

    @property
    def adopted(self) -> bool:
        """Whether another process started it."""
        return self._child is None

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs or when it is not our child."""
        return self._child.poll() if self._child else None

    def is_alive(self) -> bool:
        """Whether it runs."""
        if self._child is not None:
            return self._child.poll() is None
        return _serves(self.pid, self._directory)

    def is_another(self) -> bool:
        """Whether its process id meanwhile belongs to another program."""
        return _exists(self.pid) and not self.is_alive()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True


def _serves(pid: int, directory: Path) -> bool:
    """Whether process `pid` is a server whose data is in `directory`."""
    if not _exists(pid):
        return False
    process = Path(f"/proc/{pid}")
    if not Path("/proc/self").exists():
        return True  # no way to look closer; whether it answers on its socket decides
    try:
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" and _works_in(process, directory)
    except OSError:
        return False


def _works_in(process: Path, directory: Path) -> bool:
    """Whether `process` has the data `directory` as its own: a server's working directory is its data directory."""
    try:
        return (process / "cwd").readlink() == directory
    except PermissionError:  # in containers even root may not look at another account's process that closely
        return os.fsencode(directory) in (process / "cmdline").read_bytes().split(b"\0")
