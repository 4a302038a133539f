"""Objects brought to the stores that lack them.

Promises: each store is asked once what it has. A store that fails is left out of the rest of its draft, as at any other
file of a backup; only when none is left is it an error. Safe to use from several threads; equal content that two of
them bring at the same time is sent once.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from esteio.backup._folder import Draft
from esteio.backup.packing import Packing, Readable
from esteio.backup.store import AllStoresFailed, Placement, Store, StoreError, Stores

__all__ = ["Sending"]


class Sending:
    """Objects below `folders` for the backup `draft`; those in `again` are taken for missing."""

    def __init__(self, draft: Draft, folders: Collection[str], again: Collection[str]) -> None:
        self._draft = draft
        self._mutex = threading.Lock()
        self._under_way: set[str] = set()
        self._present: dict[str, set[str]] = {}
        self._stores = draft.whole().stores
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
