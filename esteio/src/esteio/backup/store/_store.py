"""What is asked of a store, and what can go wrong with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from esteio.backup._details import Detail, DetailCode
from esteio.errors import EsteioError

__all__ = [
    "CHUNK",
    "AllStoresFailed",
    "DirectoryMissing",
    "Download",
    "Exclusive",
    "InvalidKeyName",
    "ObjectLocked",
    "ObjectMissing",
    "Ranged",
    "Store",
    "StoreDenied",
    "StoreError",
    "StoreFull",
    "StoreNotInitialised",
    "StoreRejected",
    "StoreUnavailable",
    "StoreUrlError",
    "Stored",
    "Sweeping",
    "Upload",
    "UploadBlock",
    "UploadTruncated",
    "checked_key",
    "pieces",
]


class StoreError(EsteioError):
    """Base of the errors of stores: `store` is the name of the one that failed, `key` the object."""

    advice: str = DetailCode.SEE_REASON()
    """What to do."""

    def __init__(self, store: str, key: str, reason: str) -> None:
        self.store = store
        self.key = key
        self.reason = reason
        super().__init__(self.detail)

    @property
    def detail(self) -> Detail:
        """The whole sentence."""
        if self.key:
            return DetailCode.OBJECT_FAILED(store=self.store, key=self.key, reason=self.reason, advice=self.advice)
        return DetailCode.STORE_FAILED(store=self.store, reason=self.reason, advice=self.advice)


class StoreUnavailable(StoreError):
    """It does not answer, or answers that it cannot now."""

    advice = DetailCode.TRY_AGAIN()


class DirectoryMissing(StoreUnavailable):
    """The directory is not there: a disk that is not mounted, a wrong address, or nothing was ever kept there."""

    advice = DetailCode.MOUNT_OR_INIT()


class StoreNotInitialised(StoreError):
    """It has no marker, or that of another set of backups: nothing is written there."""

    advice = DetailCode.MOUNT_OR_INIT_ONCE()


class StoreDenied(StoreError):
    """It does not know us, or does not let us."""

    advice = DetailCode.CHECK_CREDENTIALS()


class StoreRejected(StoreError):
    """It does not take the request as we make it (an answer 4xx); the same again would be answered the same."""

    advice = DetailCode.CHECK_OPTIONS()


class StoreFull(StoreError):
    """No space or quota is left."""

    advice = DetailCode.MAKE_ROOM_OR_PRUNE()


class ObjectMissing(StoreError):
    """There is no such object, or no such bucket."""

    advice = DetailCode.CHECK_BUCKET()


class ObjectLocked(StoreError):
    """It may not be removed before its retention ends: as wanted, and no failure of the store."""

    advice = DetailCode.KEPT_UNTIL_RETENTION()


class UploadTruncated(StoreError):
    """The store has less, or more, than was sent."""

    advice = DetailCode.CHECK_CONNECTION()

    def __init__(self, store: str, key: str, *, sent: int, kept: int) -> None:
        self.sent = sent
        self.kept = kept
        super().__init__(store, key, DetailCode.BYTES_LOST(sent=sent, kept=kept))


class AllStoresFailed(EsteioError):
    """Not one store has it, or takes it; `failures` says why, by the store's name. `key` is "" for all objects."""

    def __init__(self, key: str, failures: Mapping[str, Exception]) -> None:
        self.key = key
        self.failures = dict(failures)
        reasons = "; ".join(str(error) for error in failures.values())
        which = f"for object {key!r}" if key else "of the backup stores"
        super().__init__(reasons if len(failures) == 1 else f"not one store can be used {which}: {reasons}")


class StoreUrlError(EsteioError, ValueError):
    """A store's address that cannot be used."""

    def __init__(self, part: str, value: str, allowed: str) -> None:
        self.part = part
        self.value = value
        self.allowed = allowed
        super().__init__(
            f"backup store: {part} is {value!r}; allowed: {allowed}. "
            "Examples: /srv/backup, s3://bucket/folder?endpoint=http://minio:9000, gs://bucket, az://account/container"
        )


class InvalidKeyName(EsteioError, ValueError):
    """An object's name that could leave its store."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            f"object name {key!r} cannot be used; allowed: parts of 1 to 200 bytes joined by /, none of them . or .. "
            "or beginning with a dot, no control characters and no backslash"
        )


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

    def sweep(self, before: float, prefix: str = "", /) -> int:
        """Remove what was last written `before`, in seconds since the epoch; how many there were.

        With `prefix` only below folders at the top whose names begin so.
        """
        ...


@runtime_checkable
class Exclusive(Protocol):
    """A store in which an object can be made only where there is none; of several who try at a time one succeeds."""

    def create(self, key: str, content: bytes) -> bool:
        """Make a small object; False when there is one of that name, which stays as it is."""
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


@runtime_checkable
class Ranged(Store, Protocol):
    """A store of which a part of an object can be read."""

    def range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes of an object from `start` on, which it has to have."""
        ...


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
