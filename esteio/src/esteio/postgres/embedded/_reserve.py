"""A file that keeps some room for the server on a disk that others fill.

Promises: a server whose log cannot be written ends (PANIC), and its recovery has to write, so on a disk without a free
byte it would not come back, not even to read. `release` gives it this room at the next start; `restore` takes the room
again once there is plenty. The file lies in `pg_wal`, so it is on the disk of the log wherever that is; base backups and
pg_rewind leave that directory's unknown files out.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from esteio.postgres.embedded._account import Account

__all__ = ["Reserve"]

_logger = logging.getLogger("esteio.postgres")

_FILE = "pg_wal/esteio.reserve"
_NEEDED = 16 << 20
"""Bytes: a segment of the log, the largest piece that a start has to make."""
_PLENTY = 8
"""Times its size has to be free before it is made, so that the reserve itself fills no disk."""


class Reserve:
    """`size` bytes kept on the disk of the log of the cluster in `directory`, of `account`; 0: none is kept."""

    def __init__(self, directory: Path, account: Account, size: int) -> None:
        self._path = directory / _FILE
        self._account = account
        self._size = size

    @property
    def held(self) -> bool:
        """Whether the room is kept now."""
        return self._path.exists()

    @property
    def wanted(self) -> bool:
        """Whether the room is kept, and a server that starts could not write a segment of its log without it."""
        try:
            return self.held and _free(self._path.parent) < _NEEDED
        except OSError:  # no cluster yet
            return False

    def release(self) -> None:
        """Give the room to a server that starts, where it is wanted."""
        with suppress(OSError):  # another start was faster
            if self.wanted:
                self._path.unlink()
                _logger.critical(
                    "PostgreSQL in %s: the disk of its log is full; the reserve of %d MiB is released so that it can start. "
                    "Make room: until there are %d MiB, nothing is kept for the next time",
                    self._path.parents[1], self._size >> 20, _PLENTY * self._size >> 20,
                )  # fmt: skip

    def restore(self) -> None:
        """Keep the room, unless it is kept already or the disk has too little; never an error."""
        with suppress(OSError):
            if self._size and not self.held and _free(self._path.parent) >= _PLENTY * self._size:
                self._make()

    def _make(self) -> None:
        # Under another name first: a crash in between must not leave an empty reserve that counts as kept.
        unfinished = self._path.with_name(f".{self._path.name}.new")
        unfinished.unlink(missing_ok=True)
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(handle, 0, self._size)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        self._account.own(unfinished)  # recovery opens every file to sync it
        unfinished.rename(self._path)


def _free(directory: Path) -> int:
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
