"""What the stores hold: complete backups with their proofs, and folders that never became one.

Promises: nothing but what this package names is looked at, so other files may lie beside the backups. A manifest or a
proof that was changed does not hide the others: it is told as the entry's `problem`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from esteio.backup._errors import BackupError, BackupNotFound, ManifestError
from esteio.backup._folder import MANIFEST, PROOF
from esteio.backup._manifest import Manifest, taken_at
from esteio.backup._proof import Proof
from esteio.backup.store import AllStoresFailed, StoreError, Stores

__all__ = ["Catalogue", "Entry"]

_LARGEST = 64 * 1024 * 1024  # bytes of a manifest or proof that are read


@dataclass(frozen=True, slots=True)
class Entry:
    """One folder. `stores` names those that hold all of it; without a manifest it is unfinished or damaged."""

    id: str
    began: datetime
    files: tuple[str, ...]
    stores: tuple[str, ...]
    manifest: Manifest | None = None
    proof: Proof | None = None
    problem: str | None = None

    @property
    def complete(self) -> bool:
        """Whether it is a backup."""
        return self.manifest is not None

    @property
    def verified(self) -> bool:
        """Whether it was restored for trial, and all was well."""
        return self.proof is not None and self.proof.ok


class Catalogue:
    """The backups in `stores` whose names begin with `prefix`."""

    def __init__(self, stores: Stores, prefix: str) -> None:
        self._stores = stores
        self._prefix = prefix

    @property
    def where(self) -> str:
        """The stores' names, for people."""
        return " and ".join(store.name for store in self._stores.stores)

    def entries(self) -> list[Entry]:
        """All folders, the oldest first; AllStoresFailed when no store can be asked."""
        folders: dict[str, dict[str, set[str]]] = {}
        for key, holders in self._stores.list().items():
            folder, _, name = key.partition("/")
            if folder.startswith(f"{self._prefix}_") and name and taken_at(folder) is not None:
                folders.setdefault(folder, {})[name] = set(holders)
        return sorted((self._entry(*item) for item in folders.items()), key=lambda entry: (entry.began, entry.id))

    def complete(self) -> list[Entry]:
        """The backups, the oldest first."""
        return [entry for entry in self.entries() if entry.complete]

    def find(self, wanted: str, kind: str | None = None) -> Entry:
        """The backup of that name, or the newest (of `kind`) for `latest`; BackupNotFound, or ManifestError for a
        damaged one.
        """
        entries = self.entries()
        known = [entry for entry in entries if entry.complete]
        fitting = [entry for entry in known if entry.manifest and kind in (None, entry.manifest.kind)]
        if wanted == "latest" and fitting:
            return fitting[-1]
        for entry in entries:
            if entry.id == wanted and entry.complete:
                return entry
            if entry.id == wanted and entry.problem:
                raise ManifestError(wanted, entry.problem, "use another backup, or the copy in another store")
        raise BackupNotFound(wanted, tuple(entry.id for entry in known), self.where)

    def remove(self, entry: Entry) -> dict[str, StoreError]:
        """Delete a folder, its manifest first, so that what is left of it is no backup; what still holds it, and why."""
        failed: dict[str, StoreError] = {}
        for name in sorted(entry.files, key=lambda name: name != MANIFEST):
            failed.update(self._stores.delete(f"{entry.id}/{name}"))
        return failed

    def prove(self, proof: Proof) -> None:
        """Keep a proof beside its backup."""
        self._stores.put(f"{proof.backup}/{PROOF}", proof.to_json().encode())

    def _entry(self, folder: str, files: Mapping[str, set[str]]) -> Entry:
        began = taken_at(folder)
        assert began is not None
        holders = (
            set.intersection(*(files[name] for name in files if name != PROOF)) if files.keys() != {PROOF} else set()
        )
        entry = Entry(folder, began, tuple(sorted(files)), tuple(sorted(holders)))
        if MANIFEST not in files:
            return entry
        try:
            manifest = Manifest.from_json(self._read(f"{folder}/{MANIFEST}"), backup=folder)
        except (BackupError, AllStoresFailed) as error:
            return Entry(folder, began, entry.files, entry.stores, problem=str(error))
        missing = [part.name for part in manifest.parts if part.name not in files]
        problem = f"{', '.join(missing)} is missing" if missing else None
        proof = None
        if PROOF in files:
            try:
                proof = Proof.from_json(self._read(f"{folder}/{PROOF}"))
            except (ValueError, AllStoresFailed) as error:
                problem = f"{PROOF}: {error}"
        return Entry(folder, began, entry.files, entry.stores, manifest, proof, problem)

    def _read(self, key: str) -> bytes:
        collected = b""
        with self._stores.get(key) as source:
            while (data := source.read(1024 * 1024)) and len(collected) < _LARGEST:
                collected += data
        return collected
