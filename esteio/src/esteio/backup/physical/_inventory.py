"""Which files of the log there are: in the stores, and where they are received."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from esteio.backup.physical._segments import Segment
from esteio.backup.physical._shipping import FOLDER, PARTIAL
from esteio.backup.store import Stores

__all__ = ["RECEIVED", "Wal", "inventory"]

RECEIVED = ".wal"
"""Below a directory store: where the log is received, hidden from its list of objects."""


@dataclass(frozen=True, slots=True)
class Wal:
    """One segment: received here (`path`), or in a store (`key`). `until` is when its last byte was written."""

    segment: Segment
    until: float
    partial: bool
    key: str | None = None
    path: Path | None = None


def inventory(stores: Stores, received: Path, size: int) -> Sequence[Wal]:
    """Every segment once, in the best form there is: complete before partial, here before elsewhere."""
    found: dict[Segment, Wal] = {}
    here = _received(received, size)  # first: what is shipped meanwhile is then in the stores' list
    for wal in (*_stored(stores, size), *here):
        known = found.get(wal.segment)
        if known is None or known.partial or (wal.path is not None and not wal.partial):
            found[wal.segment] = wal
    return tuple(found[segment] for segment in sorted(found))


def _stored(stores: Stores, size: int) -> list[Wal]:
    found = []
    for key, holders in stores.list(FOLDER).items():
        name = key.rpartition("/")[2].partition(".zst")[0]
        segment = Segment.parse(name.removesuffix(PARTIAL), size)
        if segment is not None:
            until = max(stored.modified for stored in holders.values())
            found.append(Wal(segment, until, name.endswith(PARTIAL), key=key))
    return found


def _received(directory: Path, size: int) -> list[Wal]:
    found = []
    for path in directory.iterdir() if directory.is_dir() else ():
        segment = Segment.parse(path.name.removesuffix(PARTIAL), size)
        with suppress(FileNotFoundError):  # shipped meanwhile
            if segment is not None:
                found.append(Wal(segment, path.stat().st_mtime, path.name.endswith(PARTIAL), path=path))
    return found
