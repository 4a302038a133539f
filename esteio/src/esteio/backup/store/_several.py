"""Several stores as one: three copies, on two kinds of medium, one of them elsewhere.

Promises: what at least one store took is kept; a store that fails is left out for the rest of that object, told as
`StoreFailed` and named in the `Placement`, and `mirror` brings it what it missed. Only when every store failed is
it an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from esteio import events
from esteio.backup.store._store import (
    CHUNK,
    AllStoresFailed,
    Download,
    Store,
    Stored,
    StoreError,
    Sweeping,
    Upload,
    UploadBlock,
)
from esteio.events import Event

__all__ = ["Placement", "StoreFailed", "Stores"]


@dataclass(frozen=True, slots=True)
class StoreFailed(Event):
    """Store `name` failed on `key`; the others go on without it."""

    key: str
    error: Exception

    def __str__(self) -> str:
        return f"backup store {self.name} failed, the others go on: {self.error}"


R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an object is now: `stored` by the store's name, and why it is not in the `failed` ones."""

    key: str
    stored: dict[str, Stored]
    failed: dict[str, StoreError] = field(default_factory=dict)


class Stores:
    """`stores` in the order they are read from; the nearest first."""

    def __init__(self, stores: Sequence[Store]) -> None:
        if not stores:
            msg = "Stores: none given; allowed: one or more. Set BACKUP_DIR, AWS_S3_BUCKET or BACKUP_STORES"
            raise ValueError(msg)
        self.stores = tuple(stores)

    def open(self, key: str) -> _Everywhere:
        """Begin to write an object to all."""
        return _Everywhere(key, self.stores)

    def put(self, key: str, source: Path | bytes) -> Placement:
        """Write a file or bytes to all, each with its own retries."""
        stored, failed = self._each(key, lambda store: store.put(key, source))
        return _placed(key, stored, failed)

    @contextmanager
    def get(self, key: str) -> Iterator[Download]:
        """Read an object from the first store that has it; once it is being read, a failure is a failure."""
        failed: dict[str, StoreError] = {}
        with ExitStack() as stack:
            for store in self.stores:
                try:
                    download = stack.enter_context(store.get(key))
                except StoreError as error:
                    failed[store.name] = error
                else:
                    break
            else:
                raise AllStoresFailed(key, failed)
            yield download

    def list(self, prefix: str = "") -> dict[str, dict[str, Stored]]:
        """By name, in which stores it is; AllStoresFailed when not one can be asked."""
        return self.look(prefix)[0]

    def look(self, prefix: str = "") -> tuple[dict[str, dict[str, Stored]], dict[str, StoreError]]:
        """As `list`, and why stores could not be asked, by the store's name."""
        answers, failed = self._each(prefix, lambda store: store.list(prefix))
        if not answers:
            raise AllStoresFailed(prefix, failed)
        found: dict[str, dict[str, Stored]] = {}
        for name, objects in answers.items():
            for stored in objects:
                found.setdefault(stored.key, {})[name] = stored
        return dict(sorted(found.items())), failed

    def delete(self, key: str) -> dict[str, StoreError]:
        """Remove an object from all; why it is still in some, by the store's name."""
        return self._each(key, lambda store: store.delete(key))[1]

    def mirror(self, prefix: str = "") -> Sequence[Placement]:
        """Copy what some stores have and others lack; one placement for each object, with what failed in it.

        What differs in size is left alone: nobody knows here which is right.
        """
        done = []
        for key, holders in self.list(prefix).items():
            origin = next(store for store in self.stores if store.name in holders)
            lacking = [store for store in self.stores if store.name not in holders]
            if lacking:
                done.append(_copied(key, origin, lacking))
        return done

    def sweep(self, before: float, prefix: str = "") -> None:
        """Remove what killed uploads left behind, last written `before`, where a store cannot do that by itself.

        With `prefix` only below folders at the top whose names begin so.
        """
        for store in self.stores:
            if isinstance(store, Sweeping):
                try:
                    store.sweep(before, prefix)
                except StoreError as error:
                    _tell(store, "", error)

    def _each(self, key: str, call: Callable[[Store], R]) -> tuple[dict[str, R], dict[str, StoreError]]:
        answers: dict[str, R] = {}
        failed: dict[str, StoreError] = {}
        for store in self.stores:
            try:
                answers[store.name] = call(store)
            except StoreError as error:
                failed[store.name] = error
                _tell(store, key, error)
        return answers, failed


class _Everywhere(UploadBlock):
    """One upload to each store that has not failed."""

    def __init__(self, key: str, stores: Sequence[Store]) -> None:
        self._key = key
        self._failed: dict[str, StoreError] = {}
        self._uploads: dict[Store, Upload] = {}
        for store in stores:
            try:
                self._uploads[store] = store.open(key)
            except StoreError as error:
                self._drop(store, error)
        self._some()

    def write(self, data: bytes, /) -> int:
        """Hand `data` to each; as fast as the slowest."""
        for store, upload in list(self._uploads.items()):
            try:
                upload.write(data)
            except StoreError as error:
                self._drop(store, error)
        self._some()
        return len(data)

    def commit(self) -> Placement:
        """Make it appear in each; AllStoresFailed when it appears in none."""
        self._done = True
        stored: dict[str, Stored] = {}
        for store, upload in list(self._uploads.items()):
            try:
                stored[store.name] = upload.commit()
            except StoreError as error:
                self._drop(store, error)
        return _placed(self._key, stored, self._failed)

    def abort(self) -> None:
        """Forget it everywhere."""
        self._done = True
        for upload in self._uploads.values():
            upload.abort()

    def _drop(self, store: Store, error: StoreError) -> None:
        upload = self._uploads.pop(store, None)
        if upload is not None:
            upload.abort()
        self._failed[store.name] = error
        _tell(store, self._key, error)

    def _some(self) -> None:
        if not self._uploads:
            raise AllStoresFailed(self._key, self._failed)


def _placed(key: str, stored: dict[str, Stored], failed: dict[str, StoreError]) -> Placement:
    if not stored:
        raise AllStoresFailed(key, failed)
    return Placement(key, stored, failed)


def _copied(key: str, origin: Store, lacking: Sequence[Store]) -> Placement:
    try:
        with origin.get(key) as source, _Everywhere(key, lacking) as upload:
            while data := source.read(CHUNK):
                upload.write(data)
            return upload.commit()
    except StoreError as error:  # removed meanwhile, or not to be read: the others are copied all the same
        return Placement(key, {}, {origin.name: error})
    except AllStoresFailed as error:
        return Placement(key, {}, {name: each for name, each in error.failures.items() if isinstance(each, StoreError)})


def _tell(store: Store, key: str, error: StoreError) -> None:
    if events.active():
        events.emit(StoreFailed(store.name, key, error))
