"""Every store's copy of the documents of a backup: read to the last byte, and brought to the stores that lack some.

Promises: `flaws` changes nothing. `bring` copies objects as they lie there, from a store that is not known to have
them damaged, to stores that lack them or have them damaged; no key is needed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from esteio.backup._copies import Brought
from esteio.backup._flaws import Flaw
from esteio.backup._manifest import Manifest
from esteio.backup._problem import Problem, Trouble, why
from esteio.backup._progress import Progress
from esteio.backup.documents._check import check
from esteio.backup.documents._listed import DETAILS, Listed
from esteio.backup.documents._parallel import each
from esteio.backup.store import AllStoresFailed, Store, StoreError, Stores

__all__ = ["bring", "flaws"]

_CHUNK = 1024 * 1024
_WHERE = "documents"


def flaws(of: Listed, stores: Sequence[Store], progress: Progress) -> list[Flaw]:
    """What is missing or damaged of the documents of a backup in each of the `stores` that have it."""
    damaged: dict[Store, frozenset[str]] = {}
    found: list[Flaw] = []
    for store in stores:
        try:
            damaged[store] = check(of, [store], None, progress).damaged
        except AllStoresFailed as error:
            found.append(Flaw(store.name, _WHERE, _problem(Trouble.COPY_UNREADABLE, of.manifest, store, error)))
    for store, objects in damaged.items():
        for name in sorted(objects):
            problem = Problem.of(Trouble.COPY_CHANGED, backup=of.manifest.id, store=store.name, file=name)
            right = tuple(other.name for other, wrong in damaged.items() if name not in wrong)
            found.append(Flaw(store.name, name, problem, right))
    return found


def bring(backup: Manifest, objects: Collection[str], stores: Stores, known: Sequence[Flaw]) -> Brought:
    """Bring `objects` of `backup` to the stores that lack them, or have them damaged as is `known`."""
    wrong = {(flaw.store, flaw.file) for flaw in known}
    listed, silent = stores.look(str(backup.details[DETAILS]["folder"]))
    asked = [store for store in stores.stores if store.name not in silent]
    failed: dict[str, Flaw] = {
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
                problem = Problem.of(Trouble.COPY_LACKS_FILE, backup=backup.id, store=target.name, file=name)
                failed[target.name] = Flaw(target.name, name, problem)
                continue
            try:
                _copied(name, origin, target)
                files.add((_WHERE, target.name))
            except StoreError as error:
                failed[target.name] = _left(backup, target, error)

    for _ in each(one, sorted(objects), lambda: None):
        pass
    return Brought(backup.id, tuple(sorted(files)), tuple(failed.values()))


def _copied(name: str, origin: Store, target: Store) -> None:
    with origin.get(name) as source, target.open(name) as upload:
        while data := source.read(_CHUNK):
            upload.write(data)
        upload.commit()


def _left(backup: Manifest, store: Store, error: Exception) -> Flaw:
    return Flaw(store.name, _WHERE, _problem(Trouble.COPY_UNREADABLE, backup, store, error))


def _problem(code: Trouble, backup: Manifest, store: Store, error: Exception) -> Problem:
    return Problem.of(code, backup=backup.id, store=store.name, file=_WHERE, reason=why(error))
