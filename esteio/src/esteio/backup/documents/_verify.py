"""The documents of a backup verified, and every store's copy of them mended.

Promises: each store that has the backup is asked whether it has every object; the content of those that this backup
brought, and of a sample of the others drawn anew each time, is read from the nearest store, unpacked and compared with
the sha256 that is its name. `defects` reads all of it in every store and changes nothing. `sync_objects` copies objects as
they lie there, from a store that is not known to have them damaged, to stores that lack them or have them damaged; no key is
needed.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from esteio.backup._details import Detail, DetailCode
from esteio.backup._errors import BackupDamaged
from esteio.backup._manifest import Manifest
from esteio.backup._problem import CopyDefect, Problem, ProblemCode, why
from esteio.backup._progress import Progress
from esteio.backup._sync import SyncResult
from esteio.backup.documents._list import DETAILS, Document, Listed
from esteio.backup.documents._objects import Amount, each
from esteio.backup.store import AllStoresFailed, Store, StoreError, Stores

__all__ = ["Found", "check", "defects", "sync_objects"]

_WORST = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What is wrong, in at most 21 sentences, and the objects that are damaged."""

    problems: tuple[str, ...]
    damaged: frozenset[str]


class _Nothing:
    """Where content goes that is only compared."""

    def write(self, data: bytes, /) -> int:
        return len(data)


def check(of: Listed, holders: Sequence[Store], sample: int | None, progress: Progress) -> Found:
    """Look at the documents in `holders`, the stores that have the backup, the nearest first.

    Of those that are not new, `sample` bytes are read (None: all). AllStoresFailed when none answers.
    """
    problems: list[str] = [_of(each, each.problem) for each in of.documents if each.problem]
    damaged: set[str] = set()
    present = _present(of, holders)
    for store, there in present.items():
        for document in of.files:
            if (name := of.object(document)) not in there:
                damaged.add(name)
                missing = _of(document, DetailCode.MISSING_IN_STORE(store=store.name))
                problems.append(DetailCode.IN_FILE(file=name, reason=missing))
    chosen = [each for each in _chosen(of.files, sample) if of.object(each) not in damaged]
    for document, error in _read(of, next(iter(present)), chosen, progress):
        damaged.add(of.object(document))
        problems.append(DetailCode.IN_FILE(file=error.file, reason=error.problem))
    if len(problems) > _WORST:
        problems[_WORST:] = [DetailCode.MORE_DOCUMENTS(count=len(problems) - _WORST)]
    return Found(tuple(problems), frozenset(damaged))


def _of(document: Document, reason: str) -> Detail:
    return DetailCode.OF_DOCUMENT(path=document.path, reason=reason)


def _present(of: Listed, holders: Sequence[Store]) -> dict[Store, set[str]]:
    """What each store has that answers now, the nearest first; whether a store answers is told elsewhere."""
    folder = of.manifest.details[DETAILS]["folder"]
    found: dict[Store, set[str]] = {}
    failed: dict[str, Exception] = {}
    for store in holders:
        try:
            found[store] = {stored.key for stored in store.list(folder)}
        except StoreError as error:
            failed[store.name] = error
    if not found:
        raise AllStoresFailed(folder, failed)
    return found


def _chosen(files: Iterable[Document], sample: int | None) -> list[Document]:
    once = list({each.sha256: each for each in sorted(files, key=lambda each: each.new)}.values())
    if sample is None:
        return once
    chosen = [each for each in once if each.new]
    others = [each for each in once if not each.new]
    random.shuffle(others)
    for document in others:
        if document.size <= sample:
            sample -= document.size
            chosen.append(document)
    return chosen


def _read(
    of: Listed, store: Store, chosen: Sequence[Document], progress: Progress
) -> Iterable[tuple[Document, BackupDamaged]]:
    amount = Amount(progress, sum(document.size for document in chosen))

    def one(document: Document) -> tuple[Document, BackupDamaged | None]:
        try:
            of.read(document, store, _Nothing())
        except BackupDamaged as error:
            return document, error
        amount.add(document.size)
        return document, None

    for document, error in each(one, chosen, amount.show):
        if error is not None:
            yield document, error


_CHUNK = 1024 * 1024
_WHERE = "documents"


def defects(of: Listed, stores: Sequence[Store], progress: Progress) -> list[CopyDefect]:
    """What is missing or damaged of the documents of a backup in each of the `stores` that have it."""
    damaged: dict[Store, frozenset[str]] = {}
    found: list[CopyDefect] = []
    for store in stores:
        try:
            damaged[store] = check(of, [store], None, progress).damaged
        except AllStoresFailed as error:
            found.append(
                CopyDefect(store.name, _WHERE, _problem(ProblemCode.COPY_UNREADABLE, of.manifest, store, error))
            )
    for store, objects in damaged.items():
        for name in sorted(objects):
            problem = Problem.of(ProblemCode.COPY_CHANGED, backup=of.manifest.id, store=store.name, file=name)
            right = tuple(other.name for other, wrong in damaged.items() if name not in wrong)
            found.append(CopyDefect(store.name, name, problem, right))
    return found


def sync_objects(backup: Manifest, objects: Collection[str], stores: Stores, known: Sequence[CopyDefect]) -> SyncResult:
    """Bring `objects` of `backup` to the stores that lack them, or have them damaged as is `known`."""
    wrong = {(defect.store, defect.file) for defect in known}
    listed, silent = stores.look(str(backup.details[DETAILS]["folder"]))
    asked = [store for store in stores.stores if store.name not in silent]
    failed: dict[str, CopyDefect] = {
        store.name: _left(backup, store, silent[store.name]) for store in stores.stores if store.name in silent
    }
    files: set[tuple[str, str]] = set()

    def right(name: str, store: Store) -> bool:
        there = listed.get(name, {}).get(store.name)
        return there is not None and there.size > 0 and (store.name, name) not in wrong

    def one(name: str) -> None:
        origin = next((store for store in asked if right(name, store)), None)
        for target in asked:
            if target.name in failed or right(name, target):
                continue
            if origin is None:
                problem = Problem.of(ProblemCode.COPY_LACKS_FILE, backup=backup.id, store=target.name, file=name)
                failed[target.name] = CopyDefect(target.name, name, problem)
                continue
            try:
                _copied(name, origin, target)
                files.add((_WHERE, target.name))
            except StoreError as error:
                failed[target.name] = _left(backup, target, error)

    for _ in each(one, sorted(objects), lambda: None):
        pass
    return SyncResult(backup.id, tuple(sorted(files)), tuple(failed.values()))


def _copied(name: str, origin: Store, target: Store) -> None:
    with origin.get(name) as source, target.open(name) as upload:
        while data := source.read(_CHUNK):
            upload.write(data)
        upload.commit()


def _left(backup: Manifest, store: Store, error: Exception) -> CopyDefect:
    return CopyDefect(store.name, _WHERE, _problem(ProblemCode.COPY_UNREADABLE, backup, store, error))


def _problem(code: ProblemCode, backup: Manifest, store: Store, error: Exception) -> Problem:
    return Problem.of(code, backup=backup.id, store=store.name, file=_WHERE, reason=why(error))
