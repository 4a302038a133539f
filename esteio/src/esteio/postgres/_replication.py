"""Which replica may answer a read: how far each has replayed, and how old that is. Pure.

Promises: a replica is offered only when it was measured lately, lags less than the bounds, and has replayed
the position the caller has seen. Lag in seconds is the age of the newest position of the primary that the
replica has reached, so a primary without writes does not make its replicas look old.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from math import inf

__all__ = ["Lag", "ReplicaReport", "Replication", "format_lsn", "parse_lsn"]

_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_SAMPLES = 256


def parse_lsn(text: str) -> int:
    """The position in the write-ahead log that `text` such as `0/1A2B3C` names; ValueError for anything else."""
    match = _LSN.fullmatch(text)
    if match is None:
        msg = f"{text!r} is no position in a write-ahead log; pass what a session's token was, such as '0/1A2B3C'"
        raise ValueError(msg)
    return int(match[1], 16) << 32 | int(match[2], 16)


def format_lsn(lsn: int) -> str:
    """As PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


@dataclass(frozen=True, slots=True)
class Lag:
    """What is tolerated: seconds and bytes behind the primary, and seconds since the last measurement."""

    seconds: float
    bytes: int
    freshness: float


@dataclass(frozen=True, slots=True)
class ReplicaReport:
    """A replica at one moment."""

    address: str
    lag_seconds: float | None
    """None: not measured lately."""
    lag_bytes: int | None
    usable: bool


class Replication:
    """What the measurements of the primary and its replicas say together."""

    def __init__(self, bound: Lag) -> None:
        self._bound = bound
        self._primary: deque[tuple[int, float]] = deque(maxlen=_SAMPLES)  # position, when it was asked for
        self._end = (0, -inf)
        self._replayed: dict[str, tuple[int, float]] = {}

    def primary_at(self, flushed: int, inserted: int, asked: float) -> None:
        """Up to where the primary's log was on disk, and was written at all, when asked at `asked` or later.

        Replicas get what is on disk. The end of what is written lies after it, and on the border of two pages
        after the next page's header, where no replica gets before there is more.
        """
        if self._primary and flushed < self._primary[-1][0]:
            self._primary.clear()  # another server, which has lost the end of the log
        self._primary.append((flushed, asked))
        self._end = (inserted, asked)

    def replica_at(self, address: str, lsn: int, now: float) -> None:
        """A replica has replayed up to `lsn`."""
        self._replayed[address] = (lsn, now)

    def forget(self, address: str) -> None:
        """A replica failed, or is none any more."""
        self._replayed.pop(address, None)

    def passed(self, since: float) -> int | None:
        """A position that all written before `since` lies before, or None as long as none is known."""
        position, asked = self._end
        return position if asked > since else None

    def usable(self, token: int, now: float) -> list[str]:
        """The replicas that may answer who has seen `token`, the one that is furthest first."""
        found = [address for address in self._replayed if self._within(address, token, now)]
        return sorted(found, key=lambda address: -self._replayed[address][0])

    def answering(self, now: float) -> list[str]:
        """The replicas that were measured lately, however far they are behind."""
        return [each for each, (_, measured) in self._replayed.items() if now - measured <= self._bound.freshness]

    def report(self, now: float) -> tuple[ReplicaReport, ...]:
        """Each measured replica."""
        return tuple(
            ReplicaReport(address, self._seconds(address, now), self._bytes(address), self._within(address, 0, now))
            for address in self._replayed
        )

    def _within(self, address: str, token: int, now: float) -> bool:
        replayed, measured = self._replayed[address]
        if replayed < token or now - measured > self._bound.freshness:
            return False
        seconds, missing = self._seconds(address, now), self._bytes(address)
        return seconds is not None and seconds <= self._bound.seconds and (missing or 0) <= self._bound.bytes

    def _bytes(self, address: str) -> int | None:
        return max(0, self._primary[-1][0] - self._replayed[address][0]) if self._primary else None

    def _seconds(self, address: str, now: float) -> float | None:
        reached = bisect_right(self._primary, self._replayed[address][0], key=lambda sample: sample[0])
        return None if reached == 0 else now - self._primary[reached - 1][1]
