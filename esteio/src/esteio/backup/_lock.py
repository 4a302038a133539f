"""Lock files: one run at a time, and nothing is removed while somebody reads.

Promises: the lock dies with its process, so nothing stale has to be removed by hand; who holds it is told. Readers share
theirs, so a restore waits for no backup and no other restore, only for a prune.
"""

from __future__ import annotations

import errno
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
    """The lock file `path`, held within the block, alone or `shared` with others who share it.

    AlreadyRunning when somebody else still holds it after `patience` seconds; `waiting` is called when that is waited for.
    """

    def __init__(
        self,
        path: Path,
        patience: float = 0.0,
        waiting: Callable[[], object] = lambda: None,
        *,
        shared: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        self._shared = shared
        self._path = path
        self._patience = patience
        self._waiting = waiting
        self._clock = clock
        self._handle = -1

    def __enter__(self) -> Self:
        try:
            # In a directory of everybody's, somebody else may have put a link there.
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            self._handle = os.open(self._path, flags, 0o600)
            inherit_owner(self._path)
        except OSError as error:
            if self._shared and error.errno == errno.EROFS:
                return self  # nobody can remove what is read from here
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
        while not self._try():
            if self._clock.monotonic() >= deadline:
                holder = os.pread(self._handle, 32, 1).decode(errors="replace").strip()
                raise AlreadyRunning(self._path, int(holder) if holder.isdigit() else None)
            if not waited:
                waited = True
                self._waiting()
            self._clock.sleep(_POLL)

    def _try(self) -> bool:
        try:
            return try_lock(self._handle, shared=self._shared)
        except OSError as error:
            raise LockRefused(self._path, error.strerror or str(error)) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._handle >= 0:
            os.close(self._handle)
