"""Where documents are: a directory, or an object store that several machines share.

Promises: `scan` sees everything there at one moment; what is opened is one document, with what the system says of it now.
Symbolic links are not followed: what they point to may lie anywhere, and be anybody's. A folder with a CACHEDIR.TAG
(https://bford.info/cachedir/) is left out, as tar, restic and borg do: what is in it can be made again, or was never whole,
such as the parts of uploads. A store that is away is a problem of its documents: the database has its backup all the same.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupError
from esteio.backup.store import ObjectMissing, Store, StoreError

__all__ = ["SMALL", "About", "Scan", "Seen", "Source", "source_of"]

SMALL = 4 * 1024 * 1024
"""Bytes of a document that is read into memory, eight of them at once."""
_CHUNK = 1024 * 1024
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_CACHE = b"Signature: 8a477f597d28d172789f06886806bc55"


class About(NamedTuple):
    """What is said of a document: it is another one when any of this differs."""

    st_mode: int
    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int
    st_ino: int

    @classmethod
    def of(cls, found: os.stat_result) -> About:
        """Of a file or directory."""
        return cls(found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


@dataclass(frozen=True, slots=True)
class Seen:
    """A document or a directory, and what is said of it."""

    path: str
    about: About


@dataclass(slots=True)
class Scan:
    """All that is there, in the order of the paths."""

    files: list[Seen] = field(default_factory=list)
    directories: list[Seen] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    special: int = 0

    @property
    def size(self) -> int:
        """Bytes in all documents."""
        return sum(seen.about.st_size for seen in self.files)

    def ordered(self) -> Scan:
        """Itself, in the order of the paths."""
        self.files.sort(key=lambda seen: seen.path)
        self.directories.sort(key=lambda seen: seen.path)
        return self


class Opened(NamedTuple):
    """A document being read; `about` asks again."""

    file: IO[bytes]
    about: Callable[[], About]


class Source(Protocol):
    """A place where documents are."""

    @property
    def name(self) -> str:
        """For people, and for what is remembered of it."""
        ...

    def check_apart(self, store: Store) -> None:
        """BackupError when backups in `store` and the documents lie within one another."""
        ...

    def scan(self) -> Scan | None:
        """Everything that is there; None when the place is not. BackupError when it cannot be read."""
        ...

    def open(self, path: str) -> AbstractContextManager[Opened]:
        """Read one document; FileNotFoundError when it is gone, or none."""
        ...


def source_of(documents: Path | Store | None) -> Source | None:
    """The place that a setting names."""
    if documents is None:
        return None
    return DirectorySource(documents.resolve()) if isinstance(documents, Path) else StoreSource(documents)


class DirectorySource:
    """Documents below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = str(root)

    def check_apart(self, store: Store) -> None:
        """One within the other would be backed up with itself."""
        if isinstance(root := getattr(store, "root", None), Path):
            own = root.resolve() / "documents"
            if own.is_relative_to(self.root) or self.root.is_relative_to(own):
                raise BackupError(DetailCode.DOCUMENTS_OVERLAP(directory=self.name, root=str(root)))

    def scan(self) -> Scan | None:
        """Walk through it."""
        try:
            return _walked(self.root)
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = error.strerror or str(error)
            raise BackupError(DetailCode.DOCUMENTS_UNREADABLE(directory=self.name, error=reason)) from error

    @contextmanager
    def open(self, path: str) -> Iterator[Opened]:
        """The file."""
        with os.fdopen(os.open(self.root / path, _FLAGS), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileNotFoundError(path)
            yield Opened(file, lambda: About.of(os.fstat(file.fileno())))


class StoreSource:
    """Documents that are objects of `store`; a large one is read by way of a temporary file."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.name = store.name

    def check_apart(self, store: Store) -> None:
        """Every object below the address is taken for a document."""
        if f"{store.name}/".startswith(f"{self.name}/"):
            raise BackupError(DetailCode.DOCUMENTS_OVERLAP(directory=self.name, root=store.name))

    def scan(self) -> Scan:
        """List it."""
        try:
            found = self.store.list()
        except StoreError as error:
            return Scan(unreadable={"documents": str(error)})
        return Scan([Seen(each.key, _about(each.size, each.modified)) for each in found]).ordered()

    @contextmanager
    def open(self, path: str) -> Iterator[Opened]:
        """The object, as it was when it was asked for."""
        try:
            with self.store.get(path) as source, tempfile.SpooledTemporaryFile(SMALL) as file:
                while data := source.read(_CHUNK):
                    file.write(data)
                file.seek(0)
                yield Opened(file, lambda: self._about(path))
        except ObjectMissing:
            raise FileNotFoundError(path) from None
        except StoreError as error:
            raise OSError(str(error)) from error

    def _about(self, path: str) -> About:
        found = self.store.head(path)
        if found is None:
            raise FileNotFoundError(path)
        return _about(found.size, found.modified)


def _about(size: int, modified: float) -> About:
    return About(stat.S_IFREG | 0o600, size, int(modified * 1e9), 0, 0)


def _walked(root: Path) -> Scan:
    found = Scan()
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    _note(found, f"{folder}/{entry.name}" if folder else entry.name, entry, folders)
        except FileNotFoundError:
            if not folder:
                raise
        except OSError as error:
            if not folder:
                raise
            found.unreadable[folder] = error.strerror or str(error)
    return found.ordered()


def _note(found: Scan, path: str, entry: os.DirEntry[str], folders: list[str]) -> None:
    try:
        about = About.of(entry.stat(follow_symlinks=False))
    except FileNotFoundError:
        return
    except OSError as error:
        found.unreadable[path] = error.strerror or str(error)
        return
    if stat.S_ISDIR(about.st_mode):
        if _is_cache(entry.path):
            return
        found.directories.append(Seen(path, about))
        folders.append(path)
    elif stat.S_ISREG(about.st_mode):
        found.files.append(Seen(path, about))
    else:
        found.special += 1


def _is_cache(folder: str) -> bool:
    try:
        with open(os.path.join(folder, "CACHEDIR.TAG"), "rb") as tag:
            return tag.read(len(_CACHE)) == _CACHE
    except OSError:
        return False
