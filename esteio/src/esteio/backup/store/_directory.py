"""A directory as a store: a disk, a network share, a USB drive.

Promises: an object is written under a temporary name, synchronised, and renamed; then the directory is
synchronised too. After a crash it is whole or absent. A directory that does not exist is not made when its parent
is missing as well: a drive that is not mounted must not be filled in memory of its name.
"""

from __future__ import annotations

import errno
import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from esteio.backup._details import DetailCode
from esteio.backup.store._store import (
    DirectoryMissing,
    Download,
    ObjectMissing,
    Stored,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnavailable,
    Upload,
    UploadBlock,
    checked_key,
    pieces,
)
from esteio.system import inherit_owner, replace_file, sync_directory

__all__ = ["DirectoryStore"]

_UNFINISHED = ".unfinished-"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_STEADILY = 1024 * 1024  # bytes after which the disk is told to begin with them
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)


class DirectoryStore:
    """Objects as files below `root`."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute()
        self.name = str(self.root)

    def open(self, key: str) -> Upload:
        """Begin a file."""
        with self.translated(key):
            if not self.root.is_dir():
                self.root.mkdir(mode=0o700)
                inherit_owner(self.root)
            return _FileUpload(self, checked_key(key))

    def put(self, key: str, source: Path | bytes) -> Stored:
        """Write a file."""
        with self.open(key) as upload:
            for data in pieces(source):
                upload.write(data)
            return upload.commit()

    def create(self, key: str, content: bytes) -> bool:
        """Write a file whole, then give it its name, unless that is taken: link(2), which is one step on shares too."""
        with self.open(key) as upload:
            upload.write(content)
            assert isinstance(upload, _FileUpload)
            return upload.commit_new()

    @contextmanager
    def get(self, key: str) -> Iterator[Download]:
        """Open a file."""
        with self.translated(key):
            file = self.path(key).open("rb")
        with file:
            yield _FileDownload(self, key, file)

    def head(self, key: str) -> Stored | None:
        """Look at a file."""
        try:
            with self.translated(key):
                return self._stored(key)
        except ObjectMissing:
            return None

    def list(self, prefix: str = "") -> list[Stored]:
        """The files below a folder."""
        top = self.path(prefix) if prefix else self.root
        found = []
        with self.translated(prefix):
            if prefix and self.root.is_dir() and not top.exists():
                return []
            for folder, folders, names in os.walk(top, onerror=_raise):
                folders[:] = [name for name in folders if not name.startswith(".")]
                relative = Path(folder).relative_to(self.root).as_posix()
                above = "" if relative == "." else f"{relative}/"
                for name in names:
                    with suppress(FileNotFoundError):  # removed meanwhile
                        if not name.startswith("."):
                            about = os.stat(f"{folder}/{name}")
                            found.append(Stored(above + name, about.st_size, about.st_mtime))
        return sorted(found, key=lambda stored: stored.key)

    def delete(self, key: str) -> None:
        """Remove a file, and its folder when that is empty then."""
        with self.translated(key), suppress(FileNotFoundError):
            path = self.path(key)
            path.unlink()
            sync_directory(path.parent)
            with suppress(OSError):
                if path.parent != self.root:
                    path.parent.rmdir()

    def sweep(self, before: float, prefix: str = "", /) -> int:
        """Remove what uploads left behind that were killed and last written `before` (seconds since the epoch); how many."""
        found = 0
        below = f"{glob.escape(prefix)}*/**" if prefix else "**"
        with self.translated(""):
            for path in list(self.root.glob(f"{below}/{_UNFINISHED}*")):
                with suppress(FileNotFoundError):  # its upload has just ended
                    if path.stat().st_mtime < before:
                        path.unlink()
                        found += 1
                        with suppress(OSError):  # something else is in it
                            if path.parent != self.root:
                                path.parent.rmdir()
        return found

    def path(self, key: str) -> Path:
        """Where `key` lies."""
        return self.root / checked_key(key)

    def _stored(self, key: str) -> Stored:
        found = self.path(key).stat()
        return Stored(key, found.st_size, found.st_mtime)

    @contextmanager
    def translated(self, key: str) -> Iterator[None]:
        """Turn what the system refuses inside into a StoreError about `key`."""
        try:
            yield
        except OSError as error:
            raise self._error(key, error) from error

    def _error(self, key: str, error: OSError) -> StoreError:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            return StoreFull(self.name, key, reason)
        if error.errno in _DENIED:
            return StoreDenied(self.name, key, reason)
        if error.errno == errno.ENOENT:
            if self.root.is_dir():
                return ObjectMissing(self.name, key, DetailCode.NO_FILE())
            return DirectoryMissing(self.name, key, DetailCode.DIRECTORY_ABSENT())
        return StoreUnavailable(self.name, key, reason)


class _FileDownload:
    """A file being read."""

    def __init__(self, store: DirectoryStore, key: str, file: BinaryIO) -> None:
        self._store = store
        self._key = key
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        with self._store.translated(self._key):
            return self._file.read(size)


class _FileUpload(UploadBlock):
    """A file under a temporary name."""

    def __init__(self, store: DirectoryStore, key: str) -> None:
        self._store = store
        self._key = key
        self._target = store.path(key)
        self._made = _make_folders(self._target.parent, store.root)
        handle, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=self._target.parent)
        self._unfinished = Path(name)
        inherit_owner(self._unfinished)
        self._file = os.fdopen(handle, "wb", buffering=0)
        self._written = self._begun = 0

    def write(self, data: bytes, /) -> int:
        """Append."""
        with self._store.translated(self._key):
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
            self._written += len(data)
            if self._written - self._begun >= _STEADILY:
                self._write_back()
        return len(data)

    def _write_back(self) -> None:
        """Let the disk begin: all at once at the end, the database on the same disk would wait for it."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file.fileno(), self._begun, self._written - self._begun, os.POSIX_FADV_DONTNEED)
        self._begun = self._written

    def commit(self) -> Stored:
        """Synchronise and rename."""
        with self._store.translated(self._key):
            os.fsync(self._file.fileno())
            self._file.close()
            replace_file(self._unfinished, self._target)
            for folder in (self._target.parent, *self._made):
                sync_directory(folder)
            self._done = True
            found = self._target.stat()
        return Stored(self._key, found.st_size, found.st_mtime)

    def commit_new(self) -> bool:
        """As `commit`, but only under a name that is free; else False, and nothing is left."""
        with self._store.translated(self._key):
            os.fsync(self._file.fileno())
            made = _named(self._unfinished, self._target)
        self.abort()  # that removes the other name
        with self._store.translated(self._key):
            for folder in (self._target.parent, *self._made):
                sync_directory(folder)
        return made

    def abort(self) -> None:
        """Remove it."""
        self._done = True
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._unfinished.unlink()
        with suppress(OSError):  # somebody else's file is in it
            if self._target.parent != self._store.root:
                self._target.parent.rmdir()


def _named(file: Path, name: Path) -> bool:
    """Give `file` a second name; False when that is taken."""
    try:
        os.link(file, name)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # FAT and some shares have no links. A reader may see the file half written, and takes it for a holder unknown.
        try:
            with name.open("xb") as made:
                made.write(file.read_bytes())
                made.flush()
                os.fsync(made.fileno())
        except FileExistsError:
            return False
    return True


def _make_folders(folder: Path, root: Path) -> list[Path]:
    """Make `folder` below `root`; the directories that got a new entry by that."""
    missing = []
    while folder != root and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        inherit_owner(path)
    return [path.parent for path in missing]


def _raise(error: OSError) -> None:
    raise error
