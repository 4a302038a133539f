"""How WAL lies in a store: the names of its objects. Pure.

Promises: `wal/SYSTEM/TIMELINE/FILE-SHA256-FIRST-LAST.zst`. SYSTEM is the system identifier of the cluster, FILE the name
that PostgreSQL gives it, SHA256 the first 16 digits of its content's before it was packed, FIRST and LAST when its first
and last transaction ended. So two contents never have one name, and what a target needs is known from a list alone,
whatever became of the files' dates. `wal/TIMELINE/FILE.zst`, as it was written before, is read too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from esteio.backup.physical._segments import Segment

__all__ = [
    "ACCEPTED",
    "FOLDER",
    "HISTORY",
    "KEYS",
    "PARTIAL",
    "WalObject",
    "object_key",
    "partial_key",
    "system_folder",
]

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
