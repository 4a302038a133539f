"""What is asked of a store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from esteio.backup.store._errors import InvalidKeyName

__all__ = ["CHUNK", "Download", "Store", "Stored", "Sweeping", "Upload", "UploadBlock", "checked_key", "pieces"]

CHUNK = 8 * 1024 * 1024
"""Bytes of one part of an upload, or of one request of a download."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Stored:
    """An object in a store: its size in bytes, and when it was stored, in seconds since the epoch."""

    key: str
    size: int
    modified: float


class Download(Protocol):
    """An object being read."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...


class Upload(AbstractContextManager["Upload"], Protocol):
    """An object being written; leaving the block without `commit` leaves nothing under its name."""

    def write(self, data: bytes, /) -> int:
        """Take all of `data`."""
        ...

    def commit(self) -> Stored:
        """Make it appear, whole and durable."""
        ...

    def abort(self) -> None:
        """Forget it; never raises."""
        ...


class Store(Protocol):
    """One place for backups; safe to use from several threads."""

    @property
    def name(self) -> str:
        """Its address for people, without secrets."""
        ...

    def open(self, key: str) -> Upload:
        """Begin to write an object, in place of one of the same name."""
        ...

    def put(self, key: str, source: Path | bytes) -> Stored:
        """Write a file or bytes; tried again when that can help."""
        ...

    def get(self, key: str) -> AbstractContextManager[Download]:
        """Read an object from its beginning; what breaks on the way is taken up where it broke."""
        ...

    def head(self, key: str) -> Stored | None:
        """What is known of an object; None when there is none."""
        ...

    def list(self, prefix: str = "") -> list[Stored]:
        """The objects below `prefix`, which is a folder ("" is all), by name."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; ObjectLocked while it is retained. Nothing there: nothing happens."""
        ...


@runtime_checkable
class Sweeping(Protocol):
    """A store in which an upload that was killed leaves something behind."""

    def sweep(self, before: float) -> int:
        """Remove what was last written `before`, in seconds since the epoch; how many there were."""
        ...


class UploadBlock(ABC):
    """An upload that is aborted when its block is left without a commit."""

    _done = False

    @abstractmethod
    def abort(self) -> None:
        """Forget what was written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._done:
            self.abort()


def checked_key(key: str) -> str:
    """`key`; InvalidKeyName when it could leave its store or collide with an unfinished file."""
    parts = key.split("/")
    sound = all(part and not part.startswith(".") and len(part.encode()) <= _LONGEST for part in parts)
    if not sound or "\\" in key or any(ord(sign) < 32 or ord(sign) == 127 for sign in key):
        raise InvalidKeyName(key)
    return key


def pieces(source: Path | bytes) -> Iterator[bytes]:
    """The content of `source` in bounded pieces."""
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        while data := file.read(CHUNK):
            yield data
