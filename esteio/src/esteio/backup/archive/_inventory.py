"""Which WAL there is: in the stores, together and one by one, and in the spool where it is received.

Promises: one list of each store. What belongs where is taken from names and content, never from a file's date; dates only
tell how long ago something arrived. Where a timeline branched off is known from PostgreSQL's own history file, which
names all before it and where each was left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from esteio.backup.archive._segments import ACCEPTED, FOLDER, HISTORY, PARTIAL, Segment, WalObject, lsn_bytes
from esteio.backup.packing import PackUnreadable, unpack
from esteio.backup.store import AllStoresFailed, Stored, StoreError, Stores

__all__ = ["ASIDE", "RECEIVED", "Branch", "Wal", "WalList", "branches", "history_file", "inventory", "list_wal"]

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


_LINE = re.compile(r"^\s*(\d+)\s+([0-9A-Fa-f]+/[0-9A-Fa-f]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Branch:
    """A timeline and those it comes from, the oldest first, each with the position (bytes) where it was left."""

    timeline: int
    ancestors: tuple[tuple[int, int], ...]
    text: str
    """Of its history file."""

    @classmethod
    def parse(cls, timeline: int, text: str) -> Branch:
        """From the text of a history file."""
        found = tuple((int(parent), lsn_bytes(left)) for parent, left in _LINE.findall(text))
        return cls(timeline, found, text)

    def left(self, timeline: int) -> int | None:
        """The position where it, or one it comes from, left `timeline`; None for one it does not come from."""
        return dict(self.ancestors).get(timeline)

    def segment(self, number: int, size: int) -> Segment:
        """The segment of that number as this branch replays it: of the latest timeline that had begun."""
        timeline = next((t for t, left in self.ancestors if number < left // size), self.timeline)
        return Segment(timeline, number, size)


def history_file(timeline: int) -> str:
    """The name of the history file of a timeline."""
    return f"{timeline:08X}{HISTORY}"


def branches(stores: Stores, received: Path, system: str, *, former: bool = True) -> Mapping[int, Branch]:
    """The branches of the cluster `system` whose history is in the stores or in the spool `received`, by timeline.

    Damaged ones are left out; `former` as for `inventory`.
    """
    found: dict[int, Branch] = {}
    listed = {each.key: each for each, _ in list_wal(stores).of(system, former=former) if each.history}
    for key, each in listed.items():
        with suppress(PackUnreadable, UnicodeDecodeError, AllStoresFailed):
            timeline = int(each.file[:8], 16)
            found[timeline] = Branch.parse(timeline, _text(stores, key))
    for directory in (received, received / system) if former else (received / system,):
        for path in received_histories(directory):
            with suppress(FileNotFoundError, UnicodeDecodeError, ValueError):  # shipped meanwhile
                timeline = int(path.name[:8], 16)
                found[timeline] = Branch.parse(timeline, path.read_text())
    return found


def _text(stores: Stores, key: str) -> str:
    collected = bytearray()

    class Sink:
        def write(self, data: bytes, /) -> int:
            collected.extend(data)
            return len(data)

    with stores.get(key) as source:
        unpack(source, Sink())
    return collected.decode()
