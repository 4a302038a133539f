"""One at a time: runs, restores and prunes on the same backups exclude each other.

Promises: the lock dies with its process, so nothing stale has to be removed by hand; who holds it is told.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from esteio.backup._errors import AlreadyRunning, LockRefused
from esteio.clock import SYSTEM, Clock
from esteio.system import inherit_owner, try_lock

__all__ = ["Lock"]

_POLL = 0.1


class Lock:
    """The lock file `path`, held within the block.

    AlreadyRunning when somebody else still holds it after `patience` seconds; `waiting` is called when that is waited for.
    """

    def __init__(
        self,
        path: Path,
        patience: float = 0.0,
        waiting: Callable[[], object] = lambda: None,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._path = path
        self._patience = patience
        self._waiting = waiting
        self._clock = clock
        self._handle = -1

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            # In a directory of everybody's, somebody else may have put a link there.
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            self._handle = os.open(self._path, flags, 0o600)
            inherit_owner(self._path)
        except OSError as error:
            raise LockRefused(self._path, error.strerror or str(error)) from error
        try:
            self._take()
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, f" {os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(self._handle)
            raise
        return self

    def _take(self) -> None:
        deadline, waited = self._clock.monotonic() + self._patience, False
        while not try_lock(self._handle):
            if self._clock.monotonic() >= deadline:
                holder = os.pread(self._handle, 32, 1).decode(errors="replace").strip()
                raise AlreadyRunning(self._path, int(holder) if holder.isdigit() else None)
            if not waited:
                waited = True
                self._waiting()
            self._clock.sleep(_POLL)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        os.close(self._handle)
