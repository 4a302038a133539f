"""Documents brought back into the object store that they are in.

Promises: only what is not there, or has another size, is brought; nothing is removed, so that a restore that fails afterwards
has done no harm. Each content is compared with its sha256 on this machine before it is sent.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from esteio.backup._errors import BackupDamaged
from esteio.backup._progress import Progress
from esteio.backup.documents._list import Document
from esteio.backup.documents._objects import Amount, each
from esteio.backup.documents._restore import Returned, Untouched, Wanted
from esteio.backup.store import AllStoresFailed, Store, StoreError, Stores

__all__ = ["StoreRestore"]


class StoreRestore(Untouched):
    """Brings what `target` lacks of `wanted`, from the nearest of `stores` that has it whole."""

    def __init__(self, wanted: Sequence[Wanted], stores: Stores, target: Store) -> None:
        self._wanted = [(document, of) for document, of in wanted if document.sha256 is not None]
        self._stores = stores
        self._target = target
        self._brought: list[Document] = []

    def fetch(self, progress: Progress) -> None:
        """Bring them."""
        there = {stored.key: stored.size for stored in self._target.list()}
        lacking = [(document, of) for document, of in self._wanted if there.get(document.path) != document.size]
        amount = Amount(progress, sum(document.size for document, _ in lacking))
        beside = Path(tempfile.mkdtemp(prefix="esteio-documents-"))

        def one(item: Wanted) -> None:
            self._bring(item, beside)
            amount.add(item[0].size)

        try:
            for _ in each(one, lacking, amount.show):
                pass
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        self._brought = [document for document, _ in lacking]

    @property
    def returned(self) -> Returned:
        """What was brought; what was there is not counted."""
        return Returned(self._target.name, len(self._brought), sum(each.size for each in self._brought), None)

    def _bring(self, item: Wanted, beside: Path) -> None:
        document, of = item
        failures: dict[str, Exception] = {}
        for store in self._stores.stores:
            with tempfile.NamedTemporaryFile(dir=beside) as file:
                try:
                    of.read(document, store, file)
                except (BackupDamaged, StoreError) as error:
                    failures[store.name] = error
                    continue
                file.flush()
                self._target.put(document.path, Path(file.name))
                return
        damage = next((error for error in failures.values() if isinstance(error, BackupDamaged)), None)
        raise damage or AllStoresFailed(of.object(document), failures)
