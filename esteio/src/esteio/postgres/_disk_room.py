"""Whether the disk of a server on this machine has room for another write.

Promises: asked before each write it costs some microseconds and no I/O. It says no while there is still enough for the
server itself, which ends when its log has none: so reading goes on, on a disk that is full, and what is refused is told
as what it is. It says yes again by itself when there is room.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from esteio.postgres._errors import OutOfResources

__all__ = ["DiskNearlyFull", "DiskRoom"]


class DiskNearlyFull(OutOfResources):
    """So little is free on the server's disk that nothing more is written; the last bytes are for the server itself."""

    def __init__(self, name: str, path: Path, free: int, keep: int) -> None:
        self.path, self.free, self.keep = path, free, keep
        detail = f"{free >> 20} MiB are free on the disk of {path}, {keep >> 20} MiB are kept for the server itself"
        super().__init__(name, detail, sqlstate="53100")  # disk_full, which the server would say next
        self.retry_after = 60.0


class DiskRoom:
    """The disks of `paths`, directories of the server of database `name`; `keep` bytes of each are the server's own.

    Have more kept than the reserve of `Embedded`: what is released of that at a start is not for the next writers. A path
    that is not there, or may not be looked at, is not looked at.
    """

    def __init__(self, name: str, paths: Iterable[Path], *, keep: int = 64 << 20) -> None:
        self._name = name
        self._keep = keep
        disks: dict[int, Path] = {}
        for path in paths:
            try:
                disks.setdefault(path.stat().st_dev, path)
            except OSError:
                continue
        self._disks = tuple(disks.values())

    def require(self) -> None:
        """Raise `DiskNearlyFull` where a disk has less than is kept free."""
        for path in self._disks:
            try:
                found = os.statvfs(path)
            except OSError:  # gone: the server says that better
                continue
            free = found.f_bavail * found.f_frsize
            if free < self._keep:
                raise DiskNearlyFull(self._name, path, free, self._keep)
