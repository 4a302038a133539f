"""Which WAL there is: in the stores, together and one by one, and in the spool where it is received.

Promises: one list of each store. What belongs where is taken from names and content, never from a file's date; dates only
tell how long ago something arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from esteio.backup.physical._objects import ACCEPTED, FOLDER, HISTORY, PARTIAL, WalObject
from esteio.backup.physical._segments import Segment
from esteio.backup.store import Stored, StoreError, Stores

__all__ = ["ASIDE", "RECEIVED", "Wal", "WalList", "inventory", "list_wal"]

ASIDE = ".aside"
"""In the spool: what nothing goes on from, because the slot was lost; shipped, and a directory for each cluster too."""
RECEIVED = ".wal"
"""Below a directory store: the spool, hidden from its list of objects. A directory for each system identifier."""


@dataclass(frozen=True, slots=True)
class Wal:
    """One segment: received here (`path`), or in a store (`key`).

    `last` and `first` are when transactions in it ended, in seconds since the epoch; None where none did, or where only
    its content could tell.
    """

    segment: Segment
    last: float | None
    partial: bool
    key: str | None = None
    path: Path | None = None
    first: float | None = None
    sha256: str = ""
    """The first digits of its content's; empty where they are not known."""


@dataclass(frozen=True, slots=True)
class WalList:
    """All WAL objects by store, those of every cluster, and the stores that could not be asked."""

    objects: Mapping[str, tuple[tuple[WalObject, Stored], ...]]
    silent: Mapping[str, StoreError]
    accepted: frozenset[str] = frozenset()
    """The clusters that a person said may write beside others."""

    def of(self, system: str, *, former: bool, store: str | None = None) -> list[tuple[WalObject, Stored]]:
        """The objects of one cluster, in all stores or in one; `former`: those of the old layout are its own too."""
        held = [pair for name, pairs in self.objects.items() if store in (None, name) for pair in pairs]
        return [pair for pair in held if pair[0].system == system or (former and pair[0].system is None)]

    def conflicts(self, system: str) -> tuple[str, ...]:
        """The files of a cluster that are there with more than one content."""
        found: dict[str, set[str]] = {}
        for each, _ in self.of(system, former=False):
            if each.sha256:
                found.setdefault(each.file, set()).add(each.sha256)
        return tuple(sorted(file for file, contents in found.items() if len(contents) > 1))


def list_wal(stores: Stores) -> WalList:
    """Ask each store once; AllStoresFailed when none answers."""
    objects, silent = stores.look(FOLDER)
    found: dict[str, list[tuple[WalObject, Stored]]] = {
        store.name: [] for store in stores.stores if store.name not in silent
    }
    accepted = set()
    for key, holders in objects.items():
        each = WalObject.parse(key)
        if key.endswith(f"/{ACCEPTED}"):
            accepted.add(key.split("/")[1])
        for name, stored in holders.items():
            # Nothing that was packed is empty: a file system may leave such a name behind after a crash.
            if each is not None and stored.size:
                found[name].append((each, stored))
    return WalList({name: tuple(held) for name, held in found.items()}, silent, frozenset(accepted))


def inventory(stores: Stores, received: Path, size: int, system: str, *, former: bool = True) -> Sequence[Wal]:
    """Every segment of the cluster `system` once, in the best form there is; `received` is the spool.

    `former`: what lies there in the old layout, which does not name a cluster, is its own.
    """
    # First: what is shipped meanwhile is then in the stores' list.
    here = [*received_wal(received / ASIDE / system, size), *received_wal(received / system, size)]
    if former:
        here = [*received_wal(received, size), *here]
    stored = list_wal(stores).of(system, former=former)
    return best([*stored_wal((each for each, _ in stored), size), *here])


def best(found: Iterable[Wal]) -> tuple[Wal, ...]:
    """Each segment once: complete before partial, here before elsewhere, with its times before without."""
    chosen: dict[Segment, Wal] = {}
    for wal in found:
        known = chosen.get(wal.segment)
        if known is None or _rank(wal) > _rank(known):
            # What a list says of times holds for the same segment wherever it lies.
            if known is not None and wal.last is None and not known.partial and not wal.partial:
                wal = replace(wal, first=known.first, last=known.last)  # noqa: PLW2901
            chosen[wal.segment] = wal
    return tuple(chosen[segment] for segment in sorted(chosen))


def stored_wal(objects: Iterable[WalObject], size: int) -> list[Wal]:
    """The segments among `objects`."""
    found = []
    for each in objects:
        segment = each.segment(size)
        if segment is not None:
            found.append(Wal(segment, each.last, each.partial, each.key, None, each.first, each.sha256))
    return found


def received_wal(directory: Path, size: int) -> list[Wal]:
    """The segments in a directory of the spool."""
    found = []
    for path in directory.iterdir() if directory.is_dir() else ():
        segment = Segment.parse(path.name.removesuffix(PARTIAL), size)
        with suppress(FileNotFoundError):  # shipped meanwhile
            if segment is not None and path.stat().st_size:
                found.append(Wal(segment, None, path.name.endswith(PARTIAL), path=path))
    return found


def received_histories(directory: Path) -> list[Path]:
    """The history files in a directory of the spool."""
    return sorted(directory.glob("*" + HISTORY)) if directory.is_dir() else []


def _rank(wal: Wal) -> tuple[bool, bool, bool]:
    return not wal.partial, wal.path is not None, bool(wal.sha256)
