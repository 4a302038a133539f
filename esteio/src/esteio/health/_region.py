"""One process' part of the shared memory: numbers, one histogram for each series, and a page of other samples.

Promises: one process writes, any may read; a reader gets each series as it was before or after a request. A writer that is
killed between two stores leaves at most that one request half counted, and a reader that waits for nobody. The number of
series is bounded: what comes beyond it is counted under `OTHER`, so that sums stay true.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

from esteio.health._latency import BUCKETS, Latency, bucket_of

__all__ = ["OTHER", "PAGE_BYTES", "REGION_BYTES", "Field", "Key", "Region", "Tally"]

OTHER = "other"
_LINE = 64  # bytes of a cache line: no two series share one
_HEADER_BYTES = 16 * _LINE
_NAME_BYTES = 4 * _LINE
_SERIES_BYTES = _NAME_BYTES + (BUCKETS + 2) * 8  # its name, its sequence number, its sum, its buckets: 36 lines
_SERIES, _RESERVED = 384, 16  # the reserved ones are for what is counted under OTHER
PAGE_BYTES = 64 * 1024
REGION_BYTES = -(-(_HEADER_BYTES + _SERIES * _SERIES_BYTES + PAGE_BYTES) // 4096) * 4096
_TRIES = 50  # a writer is between its two sequence numbers for less than a microsecond, if it lives
_CUT = 8  # bytes of the digest that tells apart long names that begin alike


class Field:
    """Places of numbers in the header, in words of 8 bytes; those after `UPDATED` are 0 where nobody measures."""

    INCARNATION, COUNT, PID, STARTED, UPDATED, ACTIVE, LAG, MEMORY, CPU_SECONDS, CPU_PERCENT, PAGE_SEQ, PAGE_LENGTH = (
        range(12)
    )
    WEBSOCKETS = 12
    ENDED = 13
    """1 once the process has ended in order: one that was killed could not say so."""
    FOLDED = 16
    """In a base: the incarnation of each slot that is in it."""


FOLDED_WORDS = _HEADER_BYTES // 8 - Field.FOLDED
assert _SERIES_BYTES % _LINE == 0, _SERIES_BYTES


class Key(NamedTuple):
    """What a series counts: requests of `method` to `route` (a template) that ended in `outcome`, or something else."""

    kind: str
    method: str = ""
    outcome: str = ""
    route: str = ""

    def pack(self) -> bytes:
        """As at most `_NAME_BYTES` - 8 bytes; the route is last, because only it can be too long."""
        whole = "\0".join(self).encode("utf-8", "replace")
        room = _NAME_BYTES - 8
        if len(whole) <= room:
            return whole
        digest = blake2b(whole, digest_size=_CUT // 2).hexdigest().encode()
        return whole[: room - _CUT - 1] + b"~" + digest

    @classmethod
    def unpack(cls, raw: bytes) -> Key:
        """From bytes; whatever they are."""
        parts = raw.decode("utf-8", "replace").split("\0", 3)
        return cls(*parts)

    @property
    def beyond(self) -> Key:
        """Where it is counted when there is no room for it."""
        return Key(self.kind, OTHER, self.outcome, OTHER)


class Tally(NamedTuple):
    """A series as read: `lanes` holds its buckets side by side, 64 bits each, so that one addition adds them all."""

    seconds: float
    lanes: int

    def plus(self, other: Tally) -> Tally:
        """Both together. No lane overflows into the next: 2**64 requests do not happen."""
        return Tally(self.seconds + other.seconds, self.lanes + other.lanes)

    def latency(self) -> Latency:
        """For whoever asks for quantiles."""
        return Latency(self.seconds, struct.unpack(f"<{BUCKETS}Q", self.lanes.to_bytes(BUCKETS * 8, "little")))


class Region:
    """`buffer` is `REGION_BYTES` long and begins at a multiple of 64."""

    def __init__(self, buffer: memoryview) -> None:
        self._bytes = buffer
        self.words = buffer.cast("Q")
        self.floats = buffer.cast("d")

    def release(self) -> None:
        """Let go of the buffer."""
        for view in (self.words, self.floats, self._bytes):
            view.release()

    # Writing: by one process, in one thread

    def add(self, key: Key) -> int:
        """Where `key` is counted from now on; of the series for `OTHER` where there is no room."""
        count = int(self.words[Field.COUNT])
        if count >= _SERIES - _RESERVED and key != key.beyond:
            return self.find(key.beyond) or self.add(key.beyond)
        if count >= _SERIES:  # more kinds and outcomes than there are: the last one takes them
            return _at(_SERIES - 1)
        name = key.pack()
        begin = _HEADER_BYTES + count * _SERIES_BYTES
        self._bytes[begin + 8 : begin + 8 + len(name)] = name
        self.words[begin >> 3] = len(name)
        self.words[Field.COUNT] = count + 1  # from here on it is read
        return _at(count)

    def find(self, key: Key) -> int | None:
        """Where `key` is counted; None when it is nowhere yet."""
        return next((_at(number) for number, known in enumerate(self._keys()) if known == key), None)

    def record(self, at: int, seconds: float) -> None:
        """Count one of the series at `at`."""
        words = self.words
        before = words[at]
        words[at] = before + 1  # odd: the next two are being changed
        words[at + 2 + bucket_of(seconds)] += 1
        self.floats[at + 1] += seconds
        words[at] = before + 2

    def write(self, key: Key, tally: Tally) -> None:
        """Set a whole series; only in a base that nobody reads yet."""
        at = self.add(key)
        known = self._tally(at).plus(tally)  # of OTHER there may be some already
        self.floats[at + 1] = known.seconds
        begin = (at + 2) * 8
        self._bytes[begin : begin + BUCKETS * 8] = known.lanes.to_bytes(BUCKETS * 8, "little")

    def write_page(self, content: bytes) -> bool:
        """Replace the page; False when `content` is too long, and the old one stays."""
        if len(content) > PAGE_BYTES:
            return False
        self.words[Field.PAGE_SEQ] += 1
        self._bytes[-PAGE_BYTES : len(self._bytes) - PAGE_BYTES + len(content)] = content
        self.words[Field.PAGE_LENGTH] = len(content)
        self.words[Field.PAGE_SEQ] += 1
        return True

    def clear(self) -> None:
        """Forget everything but the incarnation."""
        self.words[Field.COUNT] = 0
        keep = int(self.words[Field.INCARNATION])
        self._bytes[:] = bytes(REGION_BYTES)
        self.words[Field.INCARNATION] = keep

    # Reading: by anybody

    def tallies(self) -> dict[Key, Tally]:
        """Every series."""
        found: dict[Key, Tally] = {}
        for number, key in enumerate(self._keys()):
            tally = self._tally(_at(number))
            found[key] = found[key].plus(tally) if key in found else tally
        return found

    def page(self) -> bytes:
        """The page; empty when there is none, or when its writer died while it wrote."""
        for _ in range(_TRIES):
            before = self.words[Field.PAGE_SEQ]
            length = min(int(self.words[Field.PAGE_LENGTH]), PAGE_BYTES)
            content = bytes(self._bytes[-PAGE_BYTES : len(self._bytes) - PAGE_BYTES + length])
            if before % 2 == 0 and self.words[Field.PAGE_SEQ] == before:
                return content
        return b""

    def _keys(self) -> Iterator[Key]:
        for number in range(min(int(self.words[Field.COUNT]), _SERIES)):
            begin = _HEADER_BYTES + number * _SERIES_BYTES
            length = min(int(self.words[begin >> 3]), _NAME_BYTES - 8)
            yield Key.unpack(bytes(self._bytes[begin + 8 : begin + 8 + length]))

    def _tally(self, at: int) -> Tally:
        """After `_TRIES` it is taken as it is: its writer was killed or stopped, or the processor orders stores otherwise."""
        seconds, raw = 0.0, b""
        begin = (at + 2) * 8
        for _ in range(_TRIES):
            before = self.words[at]
            seconds, raw = self.floats[at + 1], bytes(self._bytes[begin : begin + BUCKETS * 8])
            if before % 2 == 0 and self.words[at] == before:
                break
        return Tally(seconds, int.from_bytes(raw, "little"))


def _at(number: int) -> int:
    """The word at which the series' sequence number stands."""
    return (_HEADER_BYTES + number * _SERIES_BYTES + _NAME_BYTES) >> 3
