"""Every store's copy of the WAL: read to the last byte, and mended from a store that has it right.

Promises: `read_log` changes nothing. What is written was unpacked on its way and has the content its name says, so damage
is never spread; where there is no key for an encrypted object it is copied as it is. Which of two that differ is right is
decided by reading them, and where that can't be done both are left alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from esteio.backup._details import DetailCode
from esteio.backup._problem import CopyDefect, Problem, ProblemCode, why
from esteio.backup._progress import Progress, silent
from esteio.backup.archive._segments import FOLDER, KEYS, WalObject
from esteio.backup.packing import Decryption, PackUnreadable, Readable, Writable, unpack
from esteio.backup.store import ObjectMissing, Store, Stored, StoreError, Stores

__all__ = ["copy_object", "read_log", "repair_log", "unpack_object"]

_CHUNK = 1024 * 1024
Opened = Callable[[], Decryption | None]


def unpack_object(source: Readable, key: str, sink: Writable, opened: Opened) -> None:
    """Unpack the object `key`; PackUnreadable unless it has the content its name says, WrongKey."""
    named = WalObject.parse(key)
    hashing = _Hashing(sink)
    unpack(source, hashing, opened() if key.endswith(".age") else None)
    if named is not None and named.sha256 and not hashing.digest.hexdigest().startswith(named.sha256):
        raise PackUnreadable(DetailCode.CONTENT_NOT_NAMED())


def copy_object(origin: Store, target: Store, key: str, opened: Opened | None = None) -> None:
    """Copy an object; StoreError, or PackUnreadable when it is damaged in `origin`, and then nothing is written.

    Without `opened` what is encrypted is copied unread.
    """
    with origin.get(key) as source, target.open(key) as upload:
        copying = _Copying(source, upload)
        if WalObject.parse(key) is not None and (opened is not None or not key.endswith(".age")):
            unpack_object(copying, key, _Nowhere(), opened or _no_key)
        while copying.read(_CHUNK):
            pass
        upload.commit()


def read_log(stores: Stores, opened: Opened, progress: Progress = silent) -> Sequence[CopyDefect]:
    """What is wrong with the WAL, by file and store; WrongKey when what `opened` makes does not open it."""
    held = _held(stores)
    total = sum(each.size for objects in held.values() for each in objects.values())
    defects: list[CopyDefect] = []
    done = 0
    for key in _keys(held):
        found: list[CopyDefect] = []
        right: list[str] = []
        for store in _asked(stores, held):
            problem = _problem(store, key, opened, holds=key in held[store.name])
            if problem is not None:
                found.append(CopyDefect(store.name, key, problem))
            elif key in held[store.name]:
                right.append(store.name)
            done += held[store.name][key].size if key in held[store.name] else 0
        defects += [replace(defect, right=tuple(right)) for defect in found]
        progress("check", done, total, "bytes")
    return defects


@dataclass(frozen=True, slots=True)
class Repaired:
    """One file in one store: `problem` is None when it was brought there, else why it was not."""

    file: str
    store: str
    problem: Problem | None


def repair_log(stores: Stores, opened: Opened | None, *, read: bool = False) -> list[Repaired]:
    """Bring the WAL to the stores that lack some of it, and in place of what is damaged.

    Damage shows in the size; with `read` every object is read. Without a key (`opened`) what is encrypted is not.
    """
    held = _held(stores)
    done: list[Repaired] = []
    for key in _keys(held, and_keys=True):
        sizes = {name: objects[key].size for name, objects in held.items() if key in objects}
        right, wrong = list(sizes), [name for name in held if name not in sizes]
        if read or len(set(sizes.values())) > 1:
            checked = _checked(stores, key, sizes, opened)
            if checked is None:
                continue
            right, damaged = checked
            wrong += damaged
        by_name = {store.name: store for store in stores.stores}
        done += [_mended(key, [by_name[name] for name in right], by_name[name]) for name in wrong]
    return done


def _checked(
    stores: Stores, key: str, sizes: Iterable[str], opened: Opened | None
) -> tuple[list[str], list[str]] | None:
    """In which stores an object is right and in which it is damaged; None where that can't be known."""
    if WalObject.parse(key) is None or (key.endswith(".age") and opened is None):
        return None
    right: list[str] = []
    damaged: list[str] = []
    for store in stores.stores:
        if store.name in sizes:
            (damaged if _problem(store, key, opened or _no_key, holds=True) else right).append(store.name)
    return right, damaged


def _mended(key: str, right: Sequence[Store], target: Store) -> Repaired:
    problem = Problem.of(ProblemCode.LOG_DAMAGED, file=key, store=target.name, reason=DetailCode.NO_RIGHT_WAL())
    for origin in right:
        try:
            copy_object(origin, target, key)
        except PackUnreadable as error:
            problem = Problem.of(ProblemCode.LOG_DAMAGED, file=key, store=origin.name, reason=error.reason)
        except StoreError as error:
            problem = Problem.of(ProblemCode.COPY_NOT_MADE, backup=key, store=error.store, reason=why(error))
        else:
            return Repaired(key, target.name, None)
    return Repaired(key, target.name, problem)


_Held = dict[str, dict[str, Stored]]


def _held(stores: Stores) -> _Held:
    """The objects of each store that answers; that one is silent is said by its status."""
    held: _Held = {}
    for store in stores.stores:
        try:
            held[store.name] = {each.key: each for each in store.list(FOLDER)}
        except StoreError:
            continue
    return held


def _asked(stores: Stores, held: _Held) -> list[Store]:
    return [store for store in stores.stores if store.name in held]


def _keys(held: _Held, *, and_keys: bool = False) -> list[str]:
    """The objects of all stores; those that hold keys come first, so that nothing is anywhere without its key."""
    every = sorted({key for objects in held.values() for key in objects})
    opening = [key for key in every if key.startswith(f"{FOLDER}/{KEYS}/")]
    return [*(opening if and_keys else ()), *(key for key in every if WalObject.parse(key) is not None)]


def _problem(store: Store, key: str, opened: Opened, *, holds: bool) -> Problem | None:
    about = {"file": key, "store": store.name}
    named = WalObject.parse(key)
    if not holds:
        # An unfinished segment is replaced by the whole one, and may be on its way.
        return None if named is not None and named.partial else Problem.of(ProblemCode.LOG_ABSENT, **about)
    try:
        with store.get(key) as source:
            unpack_object(source, key, _Nowhere(), opened)
    except ObjectMissing:  # replaced or pruned meanwhile
        return None
    except PackUnreadable as error:
        return Problem.of(ProblemCode.LOG_DAMAGED, **about, reason=error.reason)
    except StoreError as error:
        return Problem.of(ProblemCode.LOG_DAMAGED, **about, reason=why(error))
    return None


def _no_key() -> Decryption | None:
    return None


class _Nowhere:
    """Takes everything and keeps nothing."""

    def write(self, data: bytes, /) -> int:
        return len(data)


class _Hashing:
    """A sink that hashes what goes through it."""

    def __init__(self, sink: Writable) -> None:
        self.digest = hashlib.sha256()
        self._sink = sink

    def write(self, data: bytes, /) -> int:
        self.digest.update(data)
        self._sink.write(data)
        return len(data)


class _Copying:
    """A source whose bytes are written to `sink` as they are read."""

    def __init__(self, source: Readable, sink: Writable) -> None:
        self._source = source
        self._sink = sink

    def read(self, size: int = -1, /) -> bytes:
        data = self._source.read(size)
        if data:
            self._sink.write(data)
        return data
