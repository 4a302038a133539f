"""One at a time: runs, restores and prunes on the same backups exclude each other.

Promises: the lock dies with its process, so nothing stale has to be removed by hand; who holds it is told.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from esteio.backup._errors import AlreadyRunning, LockRefused

__all__ = ["Lock"]


class Lock:
    """The lock file `path`, held within the block; AlreadyRunning when somebody else holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            # In a directory of everybody's, somebody else may have put a link there.
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            self._handle = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise LockRefused(self._path, error.strerror or str(error)) from error
        try:
            _lock(self._handle)
        except OSError:
            holder = os.pread(self._handle, 32, 1).decode(errors="replace").strip()
            os.close(self._handle)
            raise AlreadyRunning(self._path, int(holder) if holder.isdigit() else None) from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f" {os.getpid()}\n".encode(), 0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        os.close(self._handle)


def _lock(handle: int) -> None:
    """Without waiting; OSError when somebody else holds it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
