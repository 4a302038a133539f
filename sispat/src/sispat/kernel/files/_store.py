"""Where the contents of documents lie: one folder, each content once, under the name of its sha256.

Promises: a content is whole on the disk (fsync, then rename, then fsync of its folder) before `place` returns, hence before
the row that refers to it can be committed; what a kill leaves behind - a part of an upload, a content without a row - is found
by its age and removed. What is being received lies in a folder that backups pass over (CACHEDIR.TAG, as tar, restic and borg
do), on the same file system, so that a rename moves it.

Whoever places or removes a content holds the lock of its row (`sispat.documentos.sql`), so that none is removed that
another request is about to refer to.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from esteio.system import inherit_owner, replace_file, sync_directory
from sispat.kernel.files._errors import NoRoom
from sispat.kernel.files._incoming import Incoming, no_room
from sispat.kernel.files._inspection import Inspected, Inspection

__all__ = ["FileStore"]

_INCOMING = ".recebendo"
# https://bford.info/cachedir/: the first 43 bytes are what marks it
_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# Parts of uploads: not worth a place in a backup.\n"
_FORGOTTEN = 3600.0  # seconds without a byte: no client may be that slow
_FOLDERS = 256


class FileStore:
    """The contents below `directory`, which is made when the first one comes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.inspection = Inspection()
        self._incoming = directory / _INCOMING

    def receive(self, field: str, filename: str, limit: int, *, sniffed: bool = True) -> Incoming:
        """A file that is about to come, of at most `limit` bytes."""
        return Incoming(self._incoming, field, filename, limit, prepare=self._mark, sniffed=sniffed)

    def _mark(self) -> None:
        if (self._incoming / "CACHEDIR.TAG").exists():
            return
        new = not self.directory.exists()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._incoming.mkdir(mode=0o700, exist_ok=True)
        (self._incoming / "CACHEDIR.TAG").write_bytes(_TAG)
        for made in (self.directory, self._incoming) if new else (self._incoming,):
            inherit_owner(made)

    def path(self, sha256: bytes) -> Path:
        """Where a content lies."""
        name = sha256.hex()
        return self.directory / name[:2] / name

    def small(self, sha256: bytes) -> Path:
        """Where the small picture of a content lies."""
        return self.path(sha256).with_suffix(".small")

    def place(self, content: Inspected) -> None:
        """Keep `content`; blocks for as long as the disk takes. Raises `NoRoom`; then nothing is kept.

        The small picture comes first, so that where there is a content there is all of it. One that is there already stays.
        """
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
        """Remove a content to which nothing refers; the content first, for the reason that it comes last."""
        for path in (self.path(sha256), self.small(sha256)):
            with suppress(FileNotFoundError):
                path.unlink()

    def forget_parts(self, age: float = _FORGOTTEN) -> int:
        """Remove what nobody has written to for `age` seconds of what was being received; how many files."""
        removed, now = 0, time.time()
        for path in self._parts():
            with suppress(FileNotFoundError):
                if now - path.stat().st_mtime > age:
                    path.unlink()
                    removed += 1
        return removed

    def _parts(self) -> Iterator[Path]:
        if self._incoming.is_dir():
            yield from (path for path in self._incoming.iterdir() if path.name != "CACHEDIR.TAG")

    def old_contents(self, folder: int, age: float) -> list[bytes]:
        """What has been in one of the 256 folders for `age` seconds, contents and small pictures, by the sha256."""
        parent = self.directory / f"{folder % _FOLDERS:02x}"
        before, found = time.time() - age, set[bytes]()
        with suppress(FileNotFoundError), os.scandir(parent) as entries:
            for entry in entries:
                name = entry.name.removesuffix(".small")
                if len(name) == 64 and entry.stat().st_mtime < before:
                    with suppress(ValueError):
                        found.add(bytes.fromhex(name))
        return list(found)
