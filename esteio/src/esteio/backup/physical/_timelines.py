"""Where the log of a cluster branched off: each restore begins a timeline of its own.

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
from esteio.backup.physical._segments import Segment, lsn_bytes
from esteio.backup.physical._shipping import FOLDER, HISTORY
from esteio.backup.store import Stores

__all__ = ["Branch", "branches", "history_file"]

_NAME = re.compile(r"([0-9A-F]{8})\.history(?:\.zst)?")
_LINE = re.compile(r"^\s*(\d+)\s+([0-9A-Fa-f]+/[0-9A-Fa-f]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Branch:
    """A timeline and those it comes from, the oldest first, each with the position (bytes) where it was left."""

    timeline: int
    ancestors: tuple[tuple[int, int], ...]
    begun: float
    """When its log was first received, seconds since the epoch."""
    text: str
    """Of its history file."""

    @classmethod
    def parse(cls, timeline: int, text: str, begun: float) -> Branch:
        """From the text of a history file."""
        found = tuple((int(parent), lsn_bytes(left)) for parent, left in _LINE.findall(text))
        return cls(timeline, found, begun, text)

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


def branches(stores: Stores, received: Path) -> Mapping[int, Branch]:
    """The branches whose history is in the stores or was received, by their timelines; damaged ones are left out."""
    found: dict[int, Branch] = {}
    for key, holders in stores.list(FOLDER).items():
        match = _NAME.fullmatch(key.rpartition("/")[2])
        if match is not None:
            with suppress(PackUnreadable, UnicodeDecodeError):
                begun = min(stored.modified for stored in holders.values())
                timeline = int(match[1], 16)
                found[timeline] = Branch.parse(timeline, _text(stores, key), begun)
    for path in received.glob("*" + HISTORY) if received.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        with suppress(FileNotFoundError, UnicodeDecodeError):  # shipped meanwhile
            if match is not None:
                timeline = int(match[1], 16)
                found[timeline] = Branch.parse(timeline, path.read_text(), path.stat().st_mtime)
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
