"""A bridge of our own, and for each machine a namespace with one cable to it.

Promises: names carry the token of the directory whose lock says that somebody still needs them, so that what a killed process
left can be told from what is in use. The host has an address on the bridge, so a load can come from outside.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from esteio.system import try_lock

__all__ = ["Network", "remove_stale"]

_PREFIX = "esteio-cluster-"
_TOKEN = re.compile(rf"{_PREFIX}([a-z0-9_]{{8}})")
_NETS = range(1, 255)
_MEMORY = Path("/dev/shm")  # noqa: S108 - made by mkdtemp. Three servers that write at once ask too much of one disk
_PLACES = [*([_MEMORY] if _MEMORY.is_dir() else []), Path(tempfile.gettempdir())]


class Network:
    """`home` is its directory; `address(1)` the first machine's. Made by `start`, gone after `stop`."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_PLACES[0]))
        self.home.chmod(0o711)
        self._lock = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not try_lock(self._lock):  # cannot be: the directory is new
            msg = f"{self.home} is in use"
            raise RuntimeError(msg)
        self.token = self.home.name.removeprefix(_PREFIX)
        self._bridge = f"ec{self.token}"
        self._net = 0

    def start(self) -> None:
        """Make the bridge, on a network that nobody here uses."""
        taken = run("ip", "-4", "-o", "addr", "show")
        self._net = next(each for each in _NETS if f" 10.213.{each}." not in taken)
        run("ip", "link", "add", self._bridge, "type", "bridge")
        run("ip", "addr", "add", f"{self.address(254)}/24", "dev", self._bridge)
        run("ip", "link", "set", self._bridge, "up")

    def address(self, number: int) -> str:
        """Of the machine of that number, 1 to 253; 254 is the host."""
        return f"10.213.{self._net}.{number}"

    def plug(self, name: str, number: int) -> str:
        """Make the machine `name`; its namespace."""
        space, outer = f"{_PREFIX}{self.token}-{name}", f"e{self.token}{name}"
        run("ip", "netns", "add", space)
        run("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", space)
        run("ip", "link", "set", outer, "master", self._bridge, "up")
        for words in (
            ("addr", "add", f"{self.address(number)}/24", "dev", "eth0"),
            ("link", "set", "lo", "up"),
            ("link", "set", "eth0", "up"),
        ):
            run("ip", "-n", space, *words)
        return space

    def stop(self) -> None:
        """End every process in the namespaces and remove all of it."""
        _remove(self.token)
        os.close(self._lock)
        shutil.rmtree(self.home, ignore_errors=True)


def remove_stale() -> int:
    """Remove what processes left that were killed; how many clusters those were."""
    found = 0
    for home in [each for place in _PLACES for each in place.glob(f"{_PREFIX}*")]:
        match = _TOKEN.fullmatch(home.name)
        if match is None or not _nobody_has(home / "lock"):
            continue
        _remove(match[1])
        shutil.rmtree(home, ignore_errors=True)
        found += 1
    return found


def _nobody_has(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDWR)
    except OSError:  # being made just now, or removed
        return False
    try:
        return try_lock(handle)
    finally:
        os.close(handle)


def _remove(token: str) -> None:
    spaces = [line.split()[0] for line in run("ip", "netns", "list").splitlines() if f"{_PREFIX}{token}-" in line]
    for space in spaces:
        kill_all(space)
        run("ip", "netns", "delete", space)
    with suppress(subprocess.CalledProcessError):  # never made
        run("ip", "link", "delete", f"ec{token}")


def kill_all(space: str, within: float = 10.0) -> None:
    """SIGKILL to all processes of a namespace; returns when there is none but zombies."""
    end = time.monotonic() + within
    while living := [pid for pid in map(int, run("ip", "netns", "pids", space).split()) if not _is_zombie(pid)]:
        for pid in living:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > end:
            msg = f"processes {living} of {space} do not end"
            raise TimeoutError(msg)
        time.sleep(0.02)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (OSError, IndexError):
        return True


def run(*command: str, given: str | None = None, within: float = 20.0) -> str:
    """What `command` says; CalledProcessError, with its words as a note, where it fails."""
    words: Sequence[str] = command
    try:
        done = subprocess.run(words, input=given, capture_output=True, text=True, check=True, timeout=within)  # noqa: S603
    except subprocess.CalledProcessError as error:
        error.add_note(f"{' '.join(words)}: {error.stderr}")
        raise
    return done.stdout
