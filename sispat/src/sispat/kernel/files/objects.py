"""Contents in an object store (S3 and what speaks its protocol, Google Cloud, Azure), the same for several machines.

Promises: a content is acknowledged by the store, and its size was asked back, before `place` returns. A store that is away is
`StoreAway` within some seconds, and at once while its circuit is open; nothing is half done then. What is not in the store
is looked for in the folder, where it lies until `sispat documentos mover` has brought it: a machine that has begun to use
the store goes on showing what it had. Sending takes parts of 8 MiB in memory, two contents at a time in each process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from esteio.backup.store import Ranged, StoreError, StoreFull, StoreUnavailable, open_store
from esteio.policy import CircuitBreaker, Pipeline, PolicyError
from sispat.kernel.files._errors import NoRoom, StoreAway
from sispat.kernel.files._folder import FolderStore
from sispat.kernel.files._inspection import Inspected
from sispat.kernel.files._store import FOLDERS, FileStore, LocalContent, RemoteContent, key_of, sha256_of

__all__ = ["PIPELINE", "ObjectFileStore", "open_documents"]

R = TypeVar("R")

PIPELINE = "documentos"
"""What the operations page and the alerts call the calls to the store."""
_TIMEOUT = 4.0  # seconds of one request; obstore repeats it twice, within twice that
_AT_A_TIME = 2
_logger = logging.getLogger("sispat.documentos")


def open_documents(url: str) -> Ranged:
    """The store at `url`, for somebody who waits; nothing is asked of it yet. StoreUrlError."""
    store = open_store(url, timeout=_TIMEOUT, attempts=1)
    assert isinstance(store, Ranged)  # the setting lets no directory through
    return store


class ObjectFileStore(FileStore):
    """The contents in `store`; those that are not there yet below `directory`."""

    shared = True

    def __init__(self, directory: Path, store: Ranged) -> None:
        super().__init__(directory)
        self.store = store
        self.folder = FolderStore(directory)
        self.pipeline = Pipeline(PIPELINE, CircuitBreaker(failures=3, successes=1, open_for=5.0, on=StoreUnavailable))
        self._sending = threading.BoundedSemaphore(_AT_A_TIME)

    def find(self, sha256: bytes, *, small: bool = False) -> LocalContent | RemoteContent | None:
        """An object; what was not brought there yet, a file."""
        key = key_of(sha256, small=small)
        there = self._asked(lambda: self.store.head(key), reading=True)
        if there is None:
            return self.folder.find(sha256, small=small)

        def read(start: int, length: int) -> bytes:
            return self._asked(lambda: self.store.range(key, start, length), reading=True)

        return RemoteContent(there.size, read)

    def place(self, content: Inspected) -> None:
        """Send it."""
        with self._sending:
            self._asked(lambda: self._place(content))

    def _place(self, content: Inspected) -> None:
        key, small = key_of(content.sha256), key_of(content.sha256, small=True)
        there = self.store.head(key)
        whole = there is not None and there.size == content.size
        if whole and (content.small is None or self.store.head(small) is not None):
            return
        if content.small is not None:
            self.store.put(small, content.small)
        self.store.put(key, content.path)

    def remove(self, sha256: bytes) -> None:
        """Remove its objects, and what of it was not brought there yet."""
        for key in (key_of(sha256), key_of(sha256, small=True)):
            self._asked(partial(self.store.delete, key))
        self.folder.remove(sha256)

    def old_contents(self, folder: int, age: float) -> list[bytes]:
        """By the store's own clock."""
        before, found = time.time() - age, set[bytes]()
        for stored in self._asked(lambda: self.store.list(f"{folder % FOLDERS:02x}")):
            sha256 = sha256_of(stored.key.rpartition("/")[2])
            if sha256 is not None and stored.modified < before:
                found.add(sha256)
        return list(found)

    def _asked(self, what: Callable[[], R], *, reading: bool = False) -> R:
        try:
            return self.pipeline.call(what)
        except StoreFull as error:
            _logger.error("%s", error)
            raise NoRoom from error
        except (StoreError, PolicyError) as error:
            _logger.error("%s", error)
            raise StoreAway(reading=reading) from error
