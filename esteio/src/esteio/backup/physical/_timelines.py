"""Where the WAL of a cluster branched off: each restore begins a timeline of its own.

Promises: pure, apart from `branches`. A branch is known from PostgreSQL's own history file of its timeline, which names
all before it and where each was left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from esteio.backup.packing import PackUnreadable, unpack
from esteio.backup.physical._inventory import list_wal, received_histories
from esteio.backup.physical._objects import HISTORY
from esteio.backup.physical._segments import Segment, lsn_bytes
from esteio.backup.store import AllStoresFailed, Stores

__all__ = ["Branch", "branches", "history_file"]

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
