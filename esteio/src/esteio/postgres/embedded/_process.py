"""The server's main process, whether we started it or found it running.

Promises: a process id that meanwhile belongs to another program is never taken for the server and never
signalled. A server is known by its process id and the moment it began, so that it is still known when its data
directory was moved or deleted under it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Identity",
    "Postmaster",
    "PostmasterFile",
    "identity",
    "kill_stragglers",
    "read_postmaster_file",
    "server_runs",
]

Identity = tuple[int, int]
"""Device and inode of a directory: what it is, whatever it is called."""


@dataclass(frozen=True, slots=True)
class PostmasterFile:
    """What `postmaster.pid` says."""

    pid: int
    port: int
    socket_dir: Path

    @property
    def names_a_socket(self) -> bool:
        """Whether it says where the server listens: it is written without that first, and completed a moment later."""
        return self.socket_dir != Path()


def read_postmaster_file(directory: Path) -> PostmasterFile | None:
    """The content of the pid file in `directory`; None when there is none or it is not complete yet."""
    try:
        lines = (directory / "postmaster.pid").read_text().splitlines()
        return PostmasterFile(int(lines[0]), int(lines[3]), Path(lines[4]))
    except (OSError, ValueError, IndexError):
        return None


def identity(directory: Path) -> Identity | None:
    """What `directory` is; None when there is none."""
    try:
        found = directory.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Postmaster:
    """A running server on `directory`; `child` when this process started it."""

    def __init__(self, directory: Path, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self._directory = directory
        self.pid = pid
        self._child = child
        self._began = _began(pid) if child is not None or _serves(pid, directory) else None
        self.data = identity(directory)
        """What its data directory was when it was started or found."""

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
        if not Path("/proc/self").exists():
            return _exists(self.pid)  # no way to look closer; whether it answers on its socket decides
        return self._began is not None and _began(self.pid) == self._began

    def is_another(self) -> bool:
        """Whether its process id belongs to another program, or to a dead process that nobody has reaped yet."""
        return _exists(self.pid) and not self.is_alive()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to it and all its processes: they may be frozen, or write to files that nobody finds any more."""
        children = _children(self.pid) if self.is_alive() else []
        self.signal(signal.SIGKILL)
        for pid in children:
            _kill_server_process(pid)
        if self.data is not None:
            kill_stragglers(self.data)


def kill_stragglers(data: Identity) -> None:
    """SIGKILL to every process of PostgreSQL that works in the directory `data`, whose main process is gone."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            found = (entry / "cwd").stat()
        except OSError:  # gone, or another account's where even root may not look
            continue
        if (found.st_dev, found.st_ino) == data:
            _kill_server_process(int(entry.name))


def _kill_server_process(pid: int) -> None:
    """A shell or an editor in the data directory is no server."""
    with suppress(OSError):
        if Path(f"/proc/{pid}/comm").read_text().startswith("postgres"):
            os.kill(pid, signal.SIGKILL)


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                if int(_stat(int(entry.name))[1]) == parent:
                    found.append(int(entry.name))
    return found


def server_runs(directory: Path) -> bool:
    """Whether a server runs on the data in `directory`: its pid file alone may be what a crash left behind."""
    found = read_postmaster_file(directory)
    return found is not None and _serves(found.pid, directory)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third, the state, on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _began(pid: int) -> str | None:
    """When process `pid` began, in ticks since the machine did; None when it has ended, reaped or not."""
    try:
        fields = _stat(pid)
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _serves(pid: int, directory: Path) -> bool:
    """Whether process `pid` is a server whose data is in `directory`."""
    if not _exists(pid):
        return False
    if not Path("/proc/self").exists():
        return True
    try:
        return _began(pid) is not None and _works_in(Path(f"/proc/{pid}"), directory)
    except OSError:
        return False


def _works_in(process: Path, directory: Path) -> bool:
    """Whether `process` has the data `directory` as its own: a server's working directory is its data directory."""
    try:
        return (process / "cwd").readlink() == directory
    except PermissionError:  # in containers even root may not look at another account's process that closely
        return os.fsencode(directory) in (process / "cmdline").read_bytes().split(b"\0")
