"""The names of write-ahead log files, and what is missing between them. Pure.

A segment's name is 24 hexadecimal digits: timeline, then the high and low part of its number (PostgreSQL's
xlog_internal.h).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Segment", "gaps", "lsn_bytes"]

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
