"""Contents in a folder of this machine, or of a share.

Promises: a content is whole on the disk (fsync, then rename, then fsync of its folder) before `place` returns. What is being
received is on the same file system, so that a rename moves it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from esteio.system import replace_file, sync_directory
from sispat.kernel.files._errors import NoRoom
from sispat.kernel.files._incoming import no_room
from sispat.kernel.files._inspection import Inspected
from sispat.kernel.files._store import FOLDERS, FileStore, LocalContent, key_of, sha256_of

__all__ = ["FolderStore"]


class FolderStore(FileStore):
    """The contents below `directory`."""

    def path(self, sha256: bytes) -> Path:
        """Where a content lies."""
        return self.directory / key_of(sha256)

    def small(self, sha256: bytes) -> Path:
        """Where the small picture of a content lies."""
        return self.directory / key_of(sha256, small=True)

    def find(self, sha256: bytes, *, small: bool = False) -> LocalContent | None:
        """The file."""
        path = self.directory / key_of(sha256, small=small)
        return LocalContent(path) if path.exists() else None

    def place(self, content: Inspected) -> None:
        """Rename it."""
        target = self.path(content.sha256)
        try:
            if self._is_there(content, target):
                return
            new = not target.parent.exists()
            target.parent.mkdir(mode=0o700, exist_ok=True)
            if content.small is not None:
                replace_file(content.small, self.small(content.sha256))
            replace_file(content.path, target)
            sync_directory(target.parent)
            if new:
                sync_directory(self.directory)
        except OSError as error:
            if no_room(error):
                raise NoRoom from error
            raise

    def _is_there(self, content: Inspected, target: Path) -> bool:
        if not target.exists() or target.stat().st_size != content.size:
            return False
        return content.small is None or self.small(content.sha256).exists()

    def remove(self, sha256: bytes) -> None:
        """Remove its files."""
        for path in (self.path(sha256), self.small(sha256)):
            with suppress(FileNotFoundError):
                path.unlink()

    def old_contents(self, folder: int, age: float) -> list[bytes]:
        """By the time of each file."""
        parent = self.directory / f"{folder % FOLDERS:02x}"
        before, found = time.time() - age, set[bytes]()
        with suppress(FileNotFoundError), os.scandir(parent) as entries:
            for entry in entries:
                if (sha256 := sha256_of(entry.name)) is not None and entry.stat().st_mtime < before:
                    found.add(sha256)
        return list(found)
