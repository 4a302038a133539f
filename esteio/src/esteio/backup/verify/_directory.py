"""The directory of one verification, and the end of those whose verification was killed.

Promises: nothing of a verification is left but for a kill -9, and then the next verification removes it, with the server that
may still run on it, and says so in the log. A directory in which somebody works is not touched: its lock ends with its
process, so neither a process id that was used again nor a clock decides.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from esteio.backup._errors import ToolError
from esteio.backup.verify._loopback import LoopbackServer
from esteio.clock import SYSTEM, Clock
from esteio.postgres.embedded import Embedded, EmbeddedError
from esteio.postgres.embedded._socket import socket_directory
from esteio.system import try_lock

__all__ = ["VerificationDirectory", "remove_leftovers"]

_PREFIX = "esteio-trial-"  # as earlier releases have it, whose leftovers are removed too
_LOCK = "lock"
_UNLOCKED = 24 * 3600.0  # seconds after which one without a lock is a leftover: releases before the lock had none
_logger = logging.getLogger("esteio.backup")


class VerificationDirectory:
    """A new directory below `parent` (None: the temporary one) within the block; `binaries` as for `Embedded`."""

    def __init__(self, parent: Path | None, *, binaries: Path | None = None, clock: Clock = SYSTEM) -> None:
        self._parent = parent or Path(tempfile.gettempdir())
        self._binaries = binaries
        self._clock = clock
        self._path = Path()
        self._handle = -1

    def __enter__(self) -> Path:
        remove_leftovers(self._parent, binaries=self._binaries, now=self._clock.time())
        self._path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._parent))
        try:
            self._path.chmod(0o711)  # as root, the server's account has to pass
            # Another who looks before this counts it as one without a lock, which is a leftover only after a day.
            self._handle = os.open(self._path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try_lock(self._handle)
        except BaseException:
            self._remove()
            raise
        return self._path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._remove()

    def _remove(self) -> None:
        if self._handle >= 0 and os.name == "nt":  # an open file can't be removed there
            os.close(self._handle)
            self._handle = -1
        shutil.rmtree(self._path, ignore_errors=True)
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def remove_leftovers(parent: Path, *, binaries: Path | None = None, now: float) -> tuple[Path, ...]:
    """Remove what killed verifications left below `parent`, and end their servers; which those were. `now` is wall time."""
    found = []
    for path in sorted(parent.glob(f"{_PREFIX}*")):
        with suppress(OSError):  # another removes it at the same moment, or its file system does not lock
            if _is_leftover(path, now):
                _end_server(path / "data", binaries)
                shutil.rmtree(path, ignore_errors=True)
                _logger.warning("removed %s: left by a verification that was killed", path)
                found.append(path)
    return tuple(found)


def _is_leftover(path: Path, now: float) -> bool:
    about = path.lstat()
    if path.is_symlink() or (hasattr(os, "geteuid") and about.st_uid != os.geteuid()):
        return False  # in a directory of everybody's others have theirs
    try:
        handle = os.open(path / _LOCK, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return now - about.st_mtime > _UNLOCKED
    try:
        return try_lock(handle)
    finally:
        os.close(handle)


def _end_server(data: Path, binaries: Path | None) -> None:
    """End the server on `data`, if one runs; nothing of it is needed any more."""
    with suppress(OSError, ValueError, EmbeddedError, ToolError):  # none runs there
        major = int((data / "PG_VERSION").read_text())
        if not hasattr(os, "geteuid"):
            LoopbackServer(data, major=major, binaries=binaries, settings={}).stop(0.0)
            return
        server = Embedded(data, major=major, binaries=binaries, create=False)
        if server.adopt():
            server.stop(0.0)
        socket_directory(data, server.account).rmdir()
