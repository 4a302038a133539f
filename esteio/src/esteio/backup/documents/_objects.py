"""The objects that hold the content of documents: where they lie, and how they get to the stores that lack them.

Promises: each store is asked once what it has. A store that fails is left out of the rest of its writer, as at any other
file of a backup; only when none is left is it an error. Safe to use from several threads; equal content that two of
them bring at the same time is sent once.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TypeVar

from esteio.backup._files import BackupWriter
from esteio.backup._progress import Progress
from esteio.backup.packing import Decryption, Encryption, Packing, PackingError, Readable
from esteio.backup.store import AllStoresFailed, Placement, Store, StoreError, Stores

__all__ = ["KEYS", "Amount", "Key", "ObjectUploader", "Place", "each", "find_place", "folder_of"]

T = TypeVar("T")
R = TypeVar("R")

THREADS = 8
_TICK = 0.2


def each(work: Callable[[T], R], items: Iterable[T], tick: Callable[[], None]) -> Iterator[R]:
    """What `work` makes of each item, in the order they are done; `tick` is called at least every 0.2 s."""
    todo, mutex, ended = iter(items), threading.Lock(), threading.Event()
    results: SimpleQueue[list[R] | BaseException | None] = SimpleQueue()

    def some() -> None:
        try:
            while not ended.is_set():
                with mutex:
                    taken = list(islice(todo, 1))
                if not taken:
                    break
                results.put([work(item) for item in taken])
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            results.put(error)
        results.put(None)

    with ThreadPoolExecutor(THREADS, "esteio documents") as pool:
        working = [pool.submit(some) for _ in range(THREADS)]
        left = len(working)
        try:
            while left:
                tick()
                try:
                    got = results.get(timeout=_TICK)
                except Empty:
                    continue
                if isinstance(got, BaseException):
                    raise got
                if got is None:
                    left -= 1
                else:
                    yield from got
        finally:
            ended.set()


class Amount:
    """Bytes done of `total`; added up by any thread, told to `progress` by the one that calls `show`."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        self._mutex = threading.Lock()
        self.show()

    def add(self, size: int) -> None:
        """`size` bytes more are done."""
        with self._mutex:
            self._done += size

    def show(self) -> None:
        """Tell how much it is."""
        self._progress("documents", min(self._done, self._total), self._total, "bytes")


Key = Callable[[bytes | None], Decryption | None]

_FOLDER = "documents"
KEYS = "keys"
_PLAIN = "plain"
_LARGEST_KEY = 64 * 1024  # bytes of a key file that are read


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of objects, and how they are packed; when a passphrase opens them, `key_file` is kept as `key_name`."""

    folder: str
    packing: Packing
    key_name: str = ""
    key_file: bytes | None = None

    def object(self, sha256: str) -> str:
        """The name of the object with this content."""
        return f"{self.folder}/{sha256[:2]}/{sha256}{self.packing.suffix}"


def folder_of(prefix: str) -> str:
    """Where all the objects for backups of this prefix lie."""
    return f"{_FOLDER}/{prefix}"


def find_place(packing: Packing, stores: Stores, prefix: str, key: Key) -> Place:
    """For what is packed by `packing`, with the key of an earlier run where there is one that `key` opens."""
    above = folder_of(prefix)
    packing = replace(packing, threads=0)  # files are packed side by side already
    encryption = packing.encryption
    if encryption is None:
        return Place(f"{above}/{_PLAIN}", packing)
    if encryption.key_file is not None:
        encryption = _known(stores, f"{above}/{KEYS}", key) or encryption
    packing = replace(packing, encryption=encryption)
    name = f"{above}/{KEYS}/{encryption.fingerprint}.age"
    return Place(f"{above}/{encryption.fingerprint}", packing, name, encryption.key_file)


def _known(stores: Stores, folder: str, key: Key) -> Encryption | None:
    """The newest that opens and is what its name says."""
    found = stores.list(folder)
    newest = sorted(found, key=lambda name: max(each.modified for each in found[name].values()), reverse=True)
    for name in newest:
        with stores.get(name) as source:
            content = source.read(_LARGEST_KEY)
        try:
            opened = key(content)
        except PackingError:  # another phrase's, or damaged
            continue
        again = Encryption.again(opened, content) if opened else None
        if again is not None and name == f"{folder}/{again.fingerprint}.age":
            return again
    return None


class ObjectUploader:
    """Objects below `folders` for the backup `writer`; those in `again` are taken for missing."""

    def __init__(self, writer: BackupWriter, folders: Collection[str], again: Collection[str]) -> None:
        self._draft = writer
        self._mutex = threading.Lock()
        self._under_way: set[str] = set()
        self._present: dict[str, set[str]] = {}
        self._stores = writer.whole().stores
        for store in self._stores:
            try:
                listed = [stored for folder in folders for stored in store.list(folder)]
            except StoreError as error:
                self._failed({store.name: error})
            else:
                # Nothing that was packed is empty: a file system may leave such a name behind after a crash.
                self._present[store.name] = {each.key for each in listed if each.size} - set(again)

    def lacking(self, name: str) -> list[Store]:
        """The stores that have failed at nothing yet and do not have it."""
        failed = self._draft.failed
        return [store for store in self._stores if store.name not in failed and name not in self._present[store.name]]

    def small(self, name: str, content: bytes, packing: Packing | None) -> bool:
        """Bring an object that fits in memory, tried again where that helps; whether it was anywhere missing."""
        with self._claimed(name) as lacking:
            if lacking:
                packed = io.BytesIO()
                if packing is None:
                    packed.write(content)
                else:
                    packing.pack(io.BytesIO(content), packed)
                self._bring(name, lacking, packed.getvalue())
        return bool(lacking)

    def large(self, name: str, source: Readable, packing: Packing) -> bool:
        """Bring an object of any size, as it is read; what `source` raises leaves nothing under its name."""
        with self._claimed(name) as lacking:
            if lacking:
                self._stream(name, lacking, source, packing)
        return bool(lacking)

    def _bring(self, name: str, lacking: list[Store], packed: bytes) -> None:
        try:
            self._placed(name, Stores(lacking).put(name, packed))
        except AllStoresFailed as error:
            self._failed(error.failures)

    def _stream(self, name: str, lacking: list[Store], source: Readable, packing: Packing) -> None:
        try:
            with Stores(lacking).open(name) as upload:
                packing.pack(source, upload)
                self._placed(name, upload.commit())
        except AllStoresFailed as error:
            self._failed(error.failures)

    def _placed(self, name: str, placement: Placement) -> None:
        with self._mutex:
            for store in placement.stored:
                self._present[store].add(name)
        self._failed(placement.failed)

    def _failed(self, failures: object) -> None:
        assert isinstance(failures, dict)
        with self._mutex:
            self._draft.failed.update(failures)
        self._draft.whole()  # raises when none is left

    @contextmanager
    def _claimed(self, name: str) -> Iterator[list[Store]]:
        """The stores that lack it, none when another thread is at it."""
        with self._mutex:
            lacking = [] if name in self._under_way else self.lacking(name)
            if lacking:
                self._under_way.add(name)
        try:
            yield lacking
        finally:
            if lacking:
                with self._mutex:
                    self._under_way.discard(name)
