"""The trial of a backup's documents.

Promises: each store that has the backup is asked whether it has every object; the content of those that this backup
brought, and of a sample of the others drawn anew each time, is read from the nearest store, unpacked and compared with
the sha256 that is its name. What is wrong is a sentence with the document's path and its object.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from esteio.backup._errors import BackupDamaged
from esteio.backup._progress import Progress
from esteio.backup.documents._amount import Amount
from esteio.backup.documents._document import Document
from esteio.backup.documents._listed import DETAILS, Listed
from esteio.backup.documents._parallel import each
from esteio.backup.store import AllStoresFailed, Store, StoreError

__all__ = ["Found", "check"]

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
    problems = [f"document {each.path!r}: {each.problem}" for each in of.documents if each.problem]
    damaged: set[str] = set()
    present = _present(of, holders)
    for store, there in present.items():
        for document in of.files:
            if (name := of.object(document)) not in there:
                damaged.add(name)
                problems.append(f"{name}: document {document.path!r}: is missing in {store.name}")
    chosen = [each for each in _chosen(of.files, sample) if of.object(each) not in damaged]
    for document, error in _read(of, next(iter(present)), chosen, progress):
        damaged.add(of.object(document))
        problems.append(f"{error.file}: {error.problem}")
    if len(problems) > _WORST:
        problems[_WORST:] = [f"and {len(problems) - _WORST} more documents"]
    return Found(tuple(problems), frozenset(damaged))


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
