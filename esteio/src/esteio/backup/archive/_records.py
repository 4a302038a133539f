"""What is inside a WAL segment: whose it is, and when its transactions were committed. Pure.

Promises: read from PostgreSQL's own page and record headers (access/xlog_internal.h, access/xlogrecord.h; the layout is
the same from 9.5 to 18), on a little-endian machine. What is not understood ends the reading: times may then be None,
never invented.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Header", "commit_times", "read_header"]

_EPOCH = 946684800  # 2000-01-01, from which PostgreSQL counts, in seconds since 1970
_PAGE = struct.Struct("<HHIQI")  # magic, flags, timeline, position, bytes that go on from the page before
_LONG = struct.Struct("<QII")  # system identifier, segment size, page size
_SHORT_HEADER, _LONG_HEADER = 24, 40
_HAS_LONG_HEADER = 2
_RECORD_HEADER = 24
_RESOURCE_MANAGER = 17  # its offset in a record's header
_INFO = 16
_XLOG, _XACT = 0, 1  # the resource managers of the log itself, and of transactions
_RECOVERED = (0x00, 0x90)  # shutdown checkpoint, end of recovery
_ENOUGH = 64  # bytes of a record that are looked at
_ENDINGS = (
    0x00,
    0x20,
    0x30,
    0x40,
)  # commit, abort, commit prepared, abort prepared: what recovery_target_time looks at
_LATEST = 250 * 366 * 86400 * 1_000_000  # microseconds since 2000; beyond, it is no time


class Bytes(Protocol):
    """What can be looked into: bytes or a memory map."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Header:
    """Of a segment: the cluster's system identifier, the position of its first byte, its size in bytes."""

    system: str
    position: int
    size: int
    page: int


def read_header(data: Bytes) -> Header | None:
    """From the first bytes of a segment; None where they are none."""
    head = data[:_LONG_HEADER]
    if len(head) < _LONG_HEADER:
        return None
    magic, flags, _, position, _ = _PAGE.unpack_from(head)
    system, size, page = _LONG.unpack_from(head, _SHORT_HEADER)
    sound = magic and flags & _HAS_LONG_HEADER and size and page and page % 512 == 0 and position % size == 0
    return Header(str(system), position, size, page) if sound else None


def commit_times(data: Bytes, timeline: int) -> tuple[float, float] | None:
    """When the first and the last transaction of `timeline` in a segment ended, in seconds since 1970; None: none did.

    The segment in which a timeline begins has a copy of what its parent wrote before; that is not counted.
    """
    header = read_header(data)
    if header is None:
        return None
    pages = _Pages(data, header)
    first = next(pages.endings(*pages.begin_of(timeline)), None)
    if first is None:
        return None
    behind = 1
    while True:  # from the end: a segment has thousands of records, and the last of them is wanted
        last = None
        for last in pages.endings(max(0, pages.count - behind)):  # noqa: B007 - the last one
            pass
        if last is not None:
            return first, last
        behind *= 4


class _Pages:
    """The pages of a segment that were written; the rest of the file is zeros."""

    def __init__(self, data: Bytes, header: Header) -> None:
        self._data = data
        self._size = header.page
        self._position = header.position
        self._magic = _PAGE.unpack(data[: _PAGE.size])[0]
        low, high = 1, len(data) // self._size
        while low < high:  # written pages come first: look for the last one
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._header(middle - 1) is not None else (low, middle - 1)
        self.count = low

    def begin_of(self, timeline: int) -> tuple[int, int | None]:
        """The page on which `timeline` begins in this segment, and itself, unless that is the very first."""
        for page in range(self.count):
            if _PAGE.unpack(self._data[page * self._size : page * self._size + _PAGE.size])[2] == timeline:
                # The page in which a timeline begins is its parent's; all that follow are its own.
                return (0, None) if page == 0 else (page - 1, timeline)
        return max(0, self.count - 1), timeline

    def endings(self, page: int, timeline: int | None = None) -> Iterator[float]:
        """When transactions ended, of the records that begin on `page` or later, after the begin of `timeline`."""
        at = self._begin(page)
        while at is not None:
            found = self._record(at)
            if found is None:
                return
            record, at = found
            if timeline is not None and _begins(record) == timeline:
                timeline = None
            if timeline is None and (time := _ended(record)) is not None:
                yield time

    def _header(self, page: int) -> tuple[int, int] | None:
        """Size of the header of a page, and how many bytes on it go on from the page before."""
        head = self._data[page * self._size : page * self._size + _PAGE.size]
        if len(head) < _PAGE.size:
            return None
        magic, flags, _, position, rest = _PAGE.unpack(head)
        if magic != self._magic or position != self._position + page * self._size:
            return None
        return (_LONG_HEADER if flags & _HAS_LONG_HEADER else _SHORT_HEADER), rest

    def _begin(self, page: int) -> int | None:
        """Where the first record that begins on `page` or later begins."""
        while page < self.count and (found := self._header(page)) is not None:
            size, rest = found
            if size + rest < self._size:
                return page * self._size + _aligned(size + rest)
            page += 1
        return None

    def _record(self, at: int) -> tuple[bytes, int] | None:
        """The first bytes of the record at `at`, and where the next begins; None at the end."""
        if at % self._size == 0:
            found = self._header(at // self._size)
            if found is None:
                return None
            at += found[0]
        length = int.from_bytes(self._data[at : at + 4], "little")
        if length < _RECORD_HEADER:
            return None
        end = (at // self._size + 1) * self._size
        if at + length <= end:
            return self._data[at : at + min(length, _ENOUGH)], at + _aligned(length)
        return self._long_record(at, length, end)

    def _long_record(self, at: int, length: int, end: int) -> tuple[bytes, int] | None:
        head, rest, page = self._data[at:end], length - (end - at), end // self._size
        while (found := self._header(page)) is not None:
            size, _ = found
            begin, room = page * self._size + size, self._size - size
            if len(head) < _ENOUGH:
                head += self._data[begin : begin + min(rest, room)]
            if rest <= room:
                return head[:_ENOUGH], page * self._size + _aligned(size + rest)
            rest, page = rest - room, page + 1
        return None  # it goes on in the next segment, which tells of it


def _ended(record: bytes) -> float | None:
    """When the transaction ended whose end the record is; None for another record."""
    if record[_RESOURCE_MANAGER] != _XACT or record[_INFO] & 0x70 not in _ENDINGS:
        return None
    given = _main(record)[:8]
    microseconds = int.from_bytes(given, "little", signed=True)
    return (_EPOCH * 1_000_000 + microseconds) / 1_000_000 if len(given) == 8 and 0 < microseconds < _LATEST else None


def _begins(record: bytes) -> int | None:
    """The timeline that begins with the record: the checkpoint, or the mark, at the end of a recovery."""
    if record[_RESOURCE_MANAGER] != _XLOG or record[_INFO] & 0xF0 not in _RECOVERED:
        return None
    given = _main(record)[8:16]
    if len(given) < 8:
        return None
    this, before = struct.unpack("<II", given)
    return this if this != before else None


def _main(record: bytes) -> bytes:
    """The first bytes of a record's own data; none where it also refers to pages of tables."""
    at = _RECORD_HEADER
    skipped = {253: 3, 252: 5}  # the origin of a replicated transaction, the transaction of a subtransaction
    while at < len(record) and (skip := skipped.get(record[at])):
        at += skip
    head = {255: 2, 254: 5}.get(record[at]) if at < len(record) else None  # a short or a long length
    return b"" if head is None else record[at + head :]


def _aligned(size: int) -> int:
    """PostgreSQL's MAXALIGN."""
    return (size + 7) & ~7
