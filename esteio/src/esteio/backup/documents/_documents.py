"""The documents beside a database, as `Backups` keeps them: taken, verified, brought back, pruned.

Promises: without a place, or where it does not exist, nothing is done and nothing is said - unless the backup
before had documents: then a disk may not be mounted. Every backup fails its verification from then on, so that retention
removes nothing, until the documents are back or a person accepts that they are gone. They are taken after the database
was looked at, so that whatever a row of the backup refers to is there. An object is removed only when the names of every
backup that is kept could be read, and when it is older than a day: a younger one may belong to a backup that is being
made elsewhere.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from esteio.backup._catalogue import Catalogue, Entry
from esteio.backup._details import DetailCode, together
from esteio.backup._errors import BackupDamaged, BackupError, RestoreRefused
from esteio.backup._files import BackupReader, BackupWriter
from esteio.backup._manifest import Manifest
from esteio.backup._problem import CopyDefect, ProblemCode, brief
from esteio.backup._progress import Progress
from esteio.backup._retention import Decision, Why
from esteio.backup._sync import SyncResult
from esteio.backup._verification import Verification
from esteio.backup.documents._list import DETAILS, KEY, LIST, NAMES, around, has_documents, joined, lines, listed, names
from esteio.backup.documents._objects import KEYS, Key, ObjectUploader, Place, each, find_place, folder_of
from esteio.backup.documents._restore import DocumentsRestore, Untouched
from esteio.backup.documents._source import Scan, source_of
from esteio.backup.documents._take import DocumentsBackup, Memory, Taken
from esteio.backup.documents._to_store import StoreRestore
from esteio.backup.documents._verify import check, defects, sync_objects
from esteio.backup.store import AllStoresFailed, Store, StoreError, Stores
from esteio.clock import SYSTEM, Clock

__all__ = ["SAMPLE", "Documents", "expected", "remove", "unneeded"]

_YOUNG = timedelta(days=1).total_seconds()


def unneeded(folders: Sequence[BackupReader], stores: Stores, where: str, now: float) -> list[str]:
    """The objects below `where` that none of `folders` names; `now` is in seconds since the epoch.

    BackupDamaged or AllStoresFailed when the names of one of `folders` cannot be read.
    """
    found = stores.list(where)
    old = {
        name
        for name, holders in found.items()
        if not name.startswith(f"{where}/{KEYS}/")
        and all(now - stored.modified > _YOUNG for stored in holders.values())
    }
    for folder in folders:
        if not old:
            break
        old -= names(folder)
    return sorted(old)


def remove(objects: Sequence[str], stores: Stores) -> dict[str, StoreError]:
    """Remove objects from the stores; what still holds some, and why."""
    failed: dict[str, StoreError] = {}
    for errors in each(stores.delete, objects, lambda: None):
        failed.update(errors)
    return failed


_MANY = 10  # documents

SAMPLE = 1 << 30
"""Bytes of documents that are not new and are read in the verification after a run."""


class Documents:
    """The documents in a directory or an object store (None: there are none), for the backups in `catalogue`.

    `memory` is the directory where what was seen is remembered (None: nowhere, everything is read in each run).
    """

    def __init__(
        self,
        documents: Path | Store | None,
        stores: Stores,
        catalogue: Catalogue,
        prefix: str,
        key: Key,
        memory: Path | None,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._documents = documents.resolve() if isinstance(documents, Path) else documents
        self._source = source_of(documents)
        self._stores = stores
        self._catalogue = catalogue
        self._prefix = prefix
        self._key = key
        self._root = memory
        self._clock = clock

    def take(self, writer: BackupWriter, manifest: Manifest, entries: Sequence[Entry], progress: Progress) -> Manifest:
        """Add the documents to `writer`, whose manifest so far is `manifest`; its manifest then.

        `entries` are the backups there were, the oldest first. BackupError when backups lie among the documents, or the
        directory cannot be read; a store that fails is left out as with every file of a writer.
        """
        if self._source is None:
            return manifest
        began = self._clock.monotonic()
        found = self._scanned()
        earlier = expected(entries)
        if earlier and not (found and (found.files or found.unreadable)):
            return replace(manifest, details={**manifest.details, DETAILS: {"gone": earlier}})
        if found is None:
            return manifest
        place = find_place(writer.packing, writer.whole(), self._prefix, self._key)
        memory = Memory(self._root, self._source)
        keys = f"{folder_of(self._prefix)}/{KEYS}"
        sending = ObjectUploader(writer, (place.folder, keys) if place.key_file else (place.folder,), memory.again)
        if place.key_file is not None:
            sending.small(place.key_name, place.key_file, None)
        taken = DocumentsBackup(self._source, place, sending, memory).run(found, self._clock.time(), progress)
        about = _written(writer, place, taken)
        if _vanished(earlier, sum(bool(each.sha256 or each.problem) for each in taken.documents)):
            about["gone"] = earlier
        return replace(
            manifest,
            parts=tuple(writer.parts),
            duration=round(manifest.duration + self._clock.monotonic() - began, 3),
            details={**manifest.details, DETAILS: about},
        )

    def verify(
        self, manifest: Manifest, verification: Verification, progress: Progress, sample: int | None
    ) -> Verification:
        """`verification` and what was found of the documents; `sample` bytes of the old ones are read (None: all)."""
        about = manifest.details.get(DETAILS, {})
        if gone := about.get("gone"):
            problem = DetailCode.DOCUMENTS_GONE(found=about.get("files", "no"), before=gone)
            verification = replace(verification, problems=(*verification.problems, problem))
        began = self._clock.monotonic()
        try:
            found = listed(BackupReader(self._stores, manifest, self._key), self._key)
        except BackupDamaged as error:
            damage = DetailCode.IN_FILE(file=error.file, reason=error.problem)
            return replace(verification, problems=tuple(dict.fromkeys((*verification.problems, damage))))
        if found is None:
            return verification
        result = check(found, self._holders(manifest), sample, progress)
        if result.damaged and self._source is not None:
            Memory(self._root, self._source).damaged(result.damaged)
        return replace(
            verification,
            total_seconds=round(verification.total_seconds + self._clock.monotonic() - began, 3),
            checked=(*verification.checked, "documents"),
            problems=(*verification.problems, *result.problems),
        )

    def of(self, backup: Manifest, *, into: Path | None = None) -> Untouched:
        """What brings the documents of `backup` into their place, or into the new directory `into`.

        RestoreRefused when that is known to fail. A backup without documents leaves those in place alone.
        """
        return self._brought([backup], None, into)

    def as_of(self, moment: datetime | None, *, into: Path | None = None) -> Untouched:
        """As `of`, for a moment with its timezone (None: the last there are)."""
        return self._brought(around(self._manifests(), moment), moment, into)

    def defects(self, backup: Manifest, progress: Progress) -> list[CopyDefect]:
        """What is missing or damaged of the documents of `backup` in each store that has it; every one is read."""
        found = listed(BackupReader(self._stores, backup, self._key), self._key)
        return defects(found, self._holders(backup), progress) if found else []

    def sync(self, backup: Manifest, known: Sequence[CopyDefect]) -> SyncResult:
        """Bring the documents of `backup` to the stores that lack some, or have them damaged as is `known`."""
        if not has_documents(backup):
            return SyncResult(backup.id, (), ())
        return sync_objects(backup, names(BackupReader(self._stores, backup, self._key)), self._stores, known)

    def prune(self, kept: Sequence[Manifest]) -> list[Decision]:
        """Remove the objects that none of the backups `kept`, which are all there are, needs."""
        folders = [BackupReader(self._stores, manifest, self._key) for manifest in kept if has_documents(manifest)]
        try:
            objects = unneeded(folders, self._stores, folder_of(self._prefix), self._clock.time())
        except (BackupError, AllStoresFailed) as error:
            return [Decision("documents", True, Why.UNREADABLE, brief(error))]
        if not objects:
            return []
        if failed := remove(objects, self._stores):
            return [Decision("documents", True, Why.HELD, together([brief(error) for error in failed.values()]))]
        return [Decision("documents", False, Why.DOCUMENTS, str(len(objects)))]

    def _scanned(self) -> Scan | None:
        assert self._source is not None
        for store in self._stores.stores:
            self._source.check_apart(store)
        return self._source.scan()

    def _holders(self, manifest: Manifest) -> list[Store]:
        holders = set(self._stores.list(manifest.id)[f"{manifest.id}/manifest.json"])
        return [store for store in self._stores.stores if store.name in holders]

    def _manifests(self) -> list[Manifest]:
        return [entry.manifest for entry in self._catalogue.entries() if entry.manifest]

    def _brought(self, backups: Sequence[Manifest], moment: datetime | None, into: Path | None) -> Untouched:
        lists = [found for each in backups if (found := listed(BackupReader(self._stores, each, self._key), self._key))]
        if not lists:
            if into is not None:
                raise RestoreRefused(str(into), DetailCode.NO_DOCUMENTS(), DetailCode.LEAVE_OUT_DOCUMENTS())
            return Untouched()
        target = into or self._documents
        if target is None:
            of = lists[-1]
            reason = DetailCode.DOCUMENTS_HOMELESS(backup=of.manifest.id, count=len(of.files))
            raise RestoreRefused("documents", reason, DetailCode.NAME_DOCUMENTS())
        if not isinstance(target, Path):
            return StoreRestore(joined(lists, moment), self._stores, target)
        made = DocumentsRestore(joined(lists, moment), self._stores, target, self._clock.time(), replace=into is None)
        made.check()
        return made


def expected(entries: Sequence[Entry]) -> int:
    """How many documents there were when they were last seen, or when a person last accepted that fewer are left.

    Backups made without a directory of documents say nothing of it.
    """
    for entry in reversed(entries):
        if entry.manifest and (about := entry.manifest.details.get(DETAILS)) is not None:
            if "gone" in about and not entry.accepts(ProblemCode.DOCUMENTS_VANISHED):
                return int(about["gone"])
            return int(about.get("files", 0))
    return 0


def _vanished(earlier: int, now: int) -> bool:
    """Of few documents, many may be removed at once; that most of many are gone is a disk that is not mounted."""
    return earlier >= _MANY and now * 2 < earlier


def _written(writer: BackupWriter, place: Place, taken: Taken) -> dict[str, object]:
    """Write the lists, and the key that opens the objects; what the manifest says of them."""
    files = [document for document in taken.documents if document.sha256]
    objects = sorted({place.object(document.sha256) for document in files if document.sha256})
    writer.add("documents.jsonl", LIST, io.BytesIO(b"".join(lines(taken.documents))))
    plain = replace(writer.packing, encryption=None)
    writer.add("documents.names", NAMES, io.BytesIO("".join(f"{name}\n" for name in objects).encode()), packing=plain)
    if place.key_file is not None:
        writer.keep("documents.key.age", KEY, place.key_file)
    return {
        "folder": place.folder,
        "suffix": place.packing.suffix,
        "files": len(files),
        "size": sum(document.size for document in files),
        "new": sum(document.new for document in files),
        "new_size": sum(document.size for document in files if document.new),
        "changed": sum(document.changed for document in files),
        "unreadable": sum(document.problem is not None for document in taken.documents),
        "vanished": taken.vanished,
        "special": taken.special,
    }
