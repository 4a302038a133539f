"""How states lie in the file. Pure: works on any buffer; the caller holds the lock of the set.

A header, then sets of one word and `WAYS` + 1 slots. Bit i of the word says that slot i counts, and one slot is
always free: a new state is written there, and one store of the word puts it in the place of the old one. A writer
killed at any instant has changed nothing or all of one key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct, pack_into, unpack_from
from typing import ClassVar

from esteio.limit._algorithms import State
from esteio.limit._algorithms._window import CELLS

__all__ = ["HEADER_BYTES", "SET_BYTES", "WAYS", "Header", "Place", "Table"]

Place = tuple[int, bytes]
"""Number of the set, and digest of scope and key."""

WAYS = 8
HEADER_BYTES = 4096
_NUMBERS = 1 + 2 * CELLS  # the longest state of any algorithm
_HEAD = Struct("<16sqq")  # digest of scope and key, unused from (microseconds), how many numbers follow
_SLOT_BYTES = _HEAD.size + 8 * _NUMBERS
SET_BYTES = -(-(8 + (WAYS + 1) * _SLOT_BYTES) // 64) * 64
_ALL = (1 << (WAYS + 1)) - 1


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself; `secret` keeps clients from choosing keys that meet in one set."""

    sets: int
    workers: int
    secret: bytes

    _FORM: ClassVar[Struct] = Struct("<8sQQ16s")
    _MAGIC: ClassVar[bytes] = b"ESTEIOL1"

    def pack(self) -> bytes:
        """As bytes."""
        return self._FORM.pack(self._MAGIC, self.sets, self.workers, self.secret)

    @classmethod
    def unpack(cls, raw: bytes) -> Header | None:
        """From bytes; None when they are no header of this version."""
        if len(raw) < cls._FORM.size or raw[:8] != cls._MAGIC:
            return None
        _, sets, workers, secret = cls._FORM.unpack_from(raw)
        return cls(sets, workers, secret)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return HEADER_BYTES + self.sets * SET_BYTES


class Table:
    """The sets in `buffer`."""

    def __init__(self, buffer: memoryview) -> None:
        self._bytes = buffer
        self._words = buffer.cast("Q")

    def release(self) -> None:
        """Let go of the buffer."""
        self._words.release()
        self._bytes.release()

    def read(self, place: Place) -> State:
        """The state kept there; empty when there is none."""
        number, digest = place
        base = HEADER_BYTES + number * SET_BYTES
        for slot in _slots(self._words[base >> 3]):
            at = base + 8 + slot * _SLOT_BYTES
            if self._bytes[at : at + 16] == digest:
                count = _HEAD.unpack_from(self._bytes, at)[2]
                if not 0 <= count <= _NUMBERS:
                    return ()
                return unpack_from(f"<{count}q", self._bytes, at + _HEAD.size)
        return ()

    def write(self, place: Place, state: State, until: int, now: int) -> None:
        """Keep a state there; where its set is full a stale one goes, or else the soonest to be."""
        number, digest = place
        base = HEADER_BYTES + number * SET_BYTES
        word = self._words[base >> 3] & _ALL
        free = _first(~word & _ALL)
        leaving = self._leaving(base, word, digest, now)
        at = base + 8 + free * _SLOT_BYTES
        _HEAD.pack_into(self._bytes, at, digest, until, len(state))
        pack_into(f"<{len(state)}q", self._bytes, at + _HEAD.size, *state)
        self._words[base >> 3] = (word | 1 << free) & ~leaving  # from here on it counts

    def _leaving(self, base: int, word: int, digest: bytes, now: int) -> int:
        """The bit of the slot that is replaced; 0 while there is room."""
        heads = {slot: _HEAD.unpack_from(self._bytes, base + 8 + slot * _SLOT_BYTES) for slot in _slots(word)}
        for slot, head in heads.items():
            if head[0] == digest:
                return 1 << slot
        if len(heads) < WAYS:
            return 0
        return 1 << min(heads, key=lambda slot: heads[slot][1] if heads[slot][1] > now else 0)


def _slots(word: int) -> Iterator[int]:
    return (slot for slot in range(WAYS + 1) if word >> slot & 1)


def _first(free: int) -> int:
    """The lowest bit; the last slot for a word that can't be, so that a damaged set heals."""
    return (free & -free).bit_length() - 1 if free else WAYS
