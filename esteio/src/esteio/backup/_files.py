"""One backup's folder in every store: written so that nobody takes half of it for a backup, read so that what was
changed is named.

Promises: the manifest is the last file, and goes only to the stores that took all the others. A file read back is
compared with the manifest to the byte; what differs is `BackupDamaged` with the file's name.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property

from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupDamaged
from esteio.backup._manifest import Manifest, Part
from esteio.backup._progress import Progress, silent
from esteio.backup.packing import Decryption, Packing, PackUnreadable, Readable, Writable, unpack
from esteio.backup.store import AllStoresFailed, Download, ObjectMissing, StoreError, Stores

__all__ = ["KEY_FILE", "MANIFEST", "MARKS", "VERIFICATION", "BackupReader", "BackupWriter", "delete_files"]

MANIFEST = "manifest.json"
VERIFICATION = "proof.json"
MARKS = "marks.json"
KEY_FILE = "key.age"
_CHUNK = 1024 * 1024


class BackupWriter:
    """A backup being written: `add` its files, then `finish`; anything else ends with `discard`."""

    def __init__(self, stores: Stores, backup: str, packing: Packing) -> None:
        self.id = backup
        self._parts: list[Part] = []
        self._lock = threading.Lock()
        self.failed: dict[str, StoreError] = {}
        self._stores = stores
        self.packing = packing
        encryption = packing.encryption
        if encryption is not None and encryption.key_file is not None:
            self.keep(KEY_FILE, "key", encryption.key_file)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The files so far, by name."""
        with self._lock:
            return tuple(sorted(self._parts, key=lambda part: part.name))

    @property
    def encryption(self) -> str | None:
        """What the manifest says of it."""
        return None if self.packing.encryption is None else "age"

    def add(self, name: str, role: str, source: Readable, beside: int = 1, *, packing: Packing | None = None) -> Part:
        """Pack `source` to its end into every store that has failed at nothing yet; `packing` in place of our own.

        Threads may add at the same time; `beside` says how many do, and zstd's threads are divided among them.
        """
        packing = packing or self.packing
        file = name + packing.suffix
        with self.whole().open(f"{self.id}/{file}") as upload:
            packed = packing.beside(beside).pack(source, upload)
            placed = upload.commit()
        part = Part(file, role, packed.size, packed.packed_size, packed.packed_sha256)
        with self._lock:
            self.failed.update(placed.failed)
            self._parts.append(part)
        return part

    def keep(self, name: str, role: str, content: bytes) -> Part:
        """Write `content` as it is, such as a key file."""
        placed = self.whole().put(f"{self.id}/{name}", content)
        part = Part(name, role, len(content), len(content), hashlib.sha256(content).hexdigest())
        with self._lock:
            self.failed.update(placed.failed)
            self._parts.append(part)
        return part

    def finish(self, manifest: Manifest) -> tuple[str, ...]:
        """Make it a backup; the names of the stores that have it."""
        placed = self.whole().put(f"{self.id}/{MANIFEST}", manifest.to_json().encode())
        self.failed.update(placed.failed)
        return tuple(placed.stored)

    def discard(self) -> None:
        """Remove what was written; what a store does not let go of stays an unfinished folder. Never raises."""
        with suppress(StoreError, AllStoresFailed):
            delete_files(self._stores, self.id, [MANIFEST, *(part.name for part in self.parts), KEY_FILE])

    def whole(self) -> Stores:
        """The stores that have failed at nothing yet."""
        with self._lock:
            failed = dict(self.failed)
        whole = [store for store in self._stores.stores if store.name not in failed]
        if not whole:
            raise AllStoresFailed(self.id, failed)
        return Stores(whole)


def delete_files(stores: Stores, backup: str, names: Collection[str]) -> dict[str, StoreError]:
    """Delete files of `backup`, its manifest first; why some are left, by the store's name.

    A store that does not let go of the manifest keeps the data too: a manifest without its data would still be listed as
    a backup, and found to be none only when somebody needs it.
    """
    failed = stores.delete(f"{backup}/{MANIFEST}") if MANIFEST in names else {}
    left = [store for store in stores.stores if store.name not in failed]
    for name in names if left else ():
        if name != MANIFEST:
            failed.update(Stores(left).delete(f"{backup}/{name}"))
    return failed


class BackupReader:
    """A complete backup. `key` makes what opens it from its key file (None where it has none)."""

    def __init__(self, stores: Stores, manifest: Manifest, key: Callable[[bytes | None], Decryption | None]) -> None:
        self.manifest = manifest
        self._stores = stores
        self._key = key

    def check(self, progress: Progress = silent) -> None:
        """Read every file once; BackupDamaged names the first that is not as it was written."""
        done = 0
        for part in self.manifest.parts:
            digest, size = hashlib.sha256(), 0
            with self._open(part) as source:
                while data := source.read(_CHUNK):
                    digest.update(data)
                    size += len(data)
                    progress("check", done + size, self.manifest.stored, "bytes")
            if size != part.stored:
                raise self._damaged(part, DetailCode.SIZE_NOT_MANIFESTS(found=size, written=part.stored))
            if digest.hexdigest() != part.sha256:
                raise self._damaged(part, DetailCode.SHA256_NOT_MANIFESTS())
            done += size

    def read(self, part: Part, sink: Writable) -> None:
        """Unpack a file into `sink`; BackupDamaged when it was changed, WrongKey when it cannot be opened."""
        try:
            with self._open(part) as source:
                packed = unpack(source, sink, self._decryption if part.name.endswith(".age") else None)
        except PackUnreadable as error:
            raise self._damaged(part, error.reason) from error
        if packed.packed_sha256 != part.sha256 or packed.size != part.size:
            raise self._damaged(part, DetailCode.SHA256_NOT_MANIFESTS())

    def kept(self, part: Part) -> bytes:
        """A small file as it lies there, such as a key file; BackupDamaged when it was changed."""
        with self._open(part) as source:
            content = source.read(part.stored + 1)
        if hashlib.sha256(content).hexdigest() != part.sha256:
            raise self._damaged(part, DetailCode.SHA256_NOT_MANIFESTS())
        return content

    def content(self, part: Part) -> bytes:
        """The content of a file that fits in memory, such as a list."""
        collected = bytearray()

        class Sink:
            def write(self, data: bytes, /) -> int:
                collected.extend(data)
                return len(data)

        self.read(part, Sink())
        return bytes(collected)

    def text(self, role: str) -> str:
        """The content of a small text file, such as the globals."""
        return self.content(self.manifest.part(role)).decode()

    @contextmanager
    def _open(self, part: Part) -> Iterator[Download]:
        reading = self._stores.get(f"{self.manifest.id}/{part.name}")
        try:
            download = reading.__enter__()
        except AllStoresFailed as error:
            if all(isinstance(failure, ObjectMissing) for failure in error.failures.values()):
                raise self._damaged(part, DetailCode.FILE_MISSING()) from error
            raise
        with ExitStack() as stack:
            stack.push(reading)
            yield download

    @cached_property
    def _decryption(self) -> Decryption | None:
        """Made once: a passphrase takes a second."""
        key_file = next((part for part in self.manifest.parts if part.role == "key"), None)
        if key_file is None:
            return self._key(None)
        with self._open(key_file) as source:
            return self._key(source.read())

    def _damaged(self, part: Part, problem: str) -> BackupDamaged:
        return BackupDamaged(self.manifest.id, part.name, problem)
