"""The names of WAL files, on the server and in a store, and what is missing between them. Pure.

A segment's name is 24 hexadecimal digits: timeline, then the high and low part of its number (PostgreSQL's
xlog_internal.h). In a store it is `wal/SYSTEM/TIMELINE/FILE-SHA256-FIRST-LAST.zst`. SYSTEM is the system identifier of the
cluster, FILE the name that PostgreSQL gives it, SHA256 the first 16 digits of its content's before it was packed, FIRST
and LAST when its first and last transaction ended. So two contents never have one name, and what a target needs is known
from a list alone, whatever became of the files' dates. `wal/TIMELINE/FILE.zst`, as it was written before, is read too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

__all__ = [
    "ACCEPTED",
    "FOLDER",
    "HISTORY",
    "KEYS",
    "PARTIAL",
    "Segment",
    "WalObject",
    "gaps",
    "lsn_bytes",
    "object_key",
    "partial_key",
    "system_folder",
]

_NAME = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})")
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of the log: `number` counts files of `size` bytes from the beginning of the cluster."""

    timeline: int
    number: int
    size: int

    @classmethod
    def parse(cls, name: str, size: int) -> Segment | None:
        """From a file's name; None for a name that is none."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        timeline, high, low = (int(digits, 16) for digits in match.groups())
        per_high = 0x1_0000_0000 // size
        return cls(timeline, high * per_high + low, size) if low < per_high else None

    @classmethod
    def holding(cls, timeline: int, position: int, size: int) -> Segment:
        """The one with the byte at `position`."""
        return cls(timeline, position // size, size)

    @property
    def name(self) -> str:
        """Its file's name."""
        per_high = 0x1_0000_0000 // self.size
        return f"{self.timeline:08X}{self.number // per_high:08X}{self.number % per_high:08X}"

    @property
    def next(self) -> Segment:
        """The one after it, on the same timeline."""
        return Segment(self.timeline, self.number + 1, self.size)


def lsn_bytes(lsn: str) -> int:
    """The byte position that `lsn`, such as 0/2000028, means; ValueError when it is none."""
    match = _LSN.fullmatch(lsn)
    if match is None:
        msg = f"{lsn!r} is no position in the write-ahead log; it looks like 0/2000028"
        raise ValueError(msg)
    return int(match[1], 16) << 32 | int(match[2], 16)


def gaps(segments: Iterable[Segment], since: Segment | None = None) -> tuple[tuple[Segment, Segment], ...]:
    """First and last of each run that is missing between others of its timeline, from `since` on.

    Of timelines before that of `since`, nothing is looked at: whoever goes on from there does not need them.
    """
    found = []
    ordered = sorted(s for s in set(segments) if since is None or s >= since)
    if since is not None and ordered and any(s.timeline == since.timeline for s in ordered):
        ordered = sorted({*ordered, _before(since)})
    for one, other in pairwise(ordered):
        if one.timeline == other.timeline and other.number > one.number + 1:
            found.append((one.next, _before(other)))
    return tuple(found)


def _before(segment: Segment) -> Segment:
    return Segment(segment.timeline, segment.number - 1, segment.size)


FOLDER = "wal"
KEYS = "keys"
PARTIAL = ".partial"
HISTORY = ".history"
ACCEPTED = "accepted"
"""In the folder of a cluster: a person said that it may write beside others."""
DIGITS = 16
"""Of a sha256, in hexadecimal, that are in a name."""

_TIME = r"\d{8}T\d{12}Z"
_KEY = re.compile(
    rf"{FOLDER}/(?:(?P<system>\d+)/)?[0-9A-F]{{8}}/(?P<file>[0-9A-F]{{24}}|[0-9A-F]{{8}}\.history)(?P<partial>\.partial)?"
    rf"(?:-(?P<sha256>[0-9a-f]{{{DIGITS}}})(?:-(?P<first>{_TIME})-(?P<last>{_TIME}))?)?\.zst(?P<sealed>\.age)?"
)


@dataclass(frozen=True, slots=True)
class WalObject:
    """What an object's name says; of those of the old layout neither `system`, `sha256` nor times are known."""

    key: str
    system: str | None
    file: str
    partial: bool
    sha256: str
    first: float | None
    last: float | None
    sealed: bool
    """Whether it is encrypted."""

    @classmethod
    def parse(cls, key: str) -> WalObject | None:
        """None for an object that is neither a segment nor a history file."""
        found = _KEY.fullmatch(key)
        if found is None:
            return None
        first, last = (_moment(found[name]) for name in ("first", "last"))
        partial, sealed = found["partial"] is not None, found["sealed"] is not None
        return cls(key, found["system"], found["file"], partial, found["sha256"] or "", first, last, sealed)

    @property
    def history(self) -> bool:
        """Whether it is the history file of a timeline."""
        return self.file.endswith(HISTORY)

    def segment(self, size: int) -> Segment | None:
        """The segment it is, of `size` bytes."""
        return Segment.parse(self.file, size)


def system_folder(system: str) -> str:
    """Where all the WAL of a cluster lies."""
    return f"{FOLDER}/{system}"


def object_key(system: str, file: str, sha256: str, times: tuple[float, float] | None, suffix: str) -> str:
    """The name of the object that holds `file`."""
    stamps = "".join(f"-{_stamp(each)}" for each in times or ())
    return f"{system_folder(system)}/{file[:8]}/{file}-{sha256[:DIGITS]}{stamps}{suffix}"


def partial_key(system: str, file: str, suffix: str) -> str:
    """The name of the object that holds the unfinished segment `file`; written again and again."""
    return f"{system_folder(system)}/{file[:8]}/{file.removesuffix(PARTIAL)}{PARTIAL}{suffix}"


def _stamp(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%S%f}Z"


def _moment(stamp: str | None) -> float | None:
    return None if stamp is None else datetime.strptime(stamp, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC).timestamp()
