"""A tar stream, told as it goes by.

Promises: nothing is held back but one header; a stream that is none, or that ends too early, is a `NotTar`. Reads what
pg_basebackup writes: ustar headers with sizes in octal, or in base 256 above 8 GB.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupError
from esteio.backup.packing import Readable

__all__ = ["BLOCK", "Member", "NotTar", "Picking", "Receiver", "Tar", "member_of"]

BLOCK = 512
_CHECKSUM = slice(148, 156)
_FILES, _FOLDER = (b"0", b"\0"), b"5"


class NotTar(BackupError):
    """Such a stream was never written by pg_basebackup, or it was cut short."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry. `name` as bytes, because PostgreSQL's files may be called anything."""

    name: bytes
    size: int
    is_file: bool
    is_folder: bool

    @property
    def path(self) -> str:
        """The name below the data directory, with `/`; it ends with one where it is a directory."""
        return os.fsdecode(self.name).removeprefix("./")


class Receiver(Protocol):
    """Who is told what is in the stream: for each entry `begin`, its `content` in pieces, `end`."""

    def begin(self, member: Member, /) -> None:
        """An entry begins."""
        ...

    def content(self, data: memoryview, /) -> None:
        """The next piece of it, valid only during the call."""
        ...

    def end(self) -> None:
        """It is complete."""
        ...


class Tar:
    """A sink for a tar stream that tells `receiver` what is in it. What the receiver raises passes."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._head = bytearray()
        self._body = 0
        self._padding = 0
        self._ended = False

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next piece of the stream; NotTar when it is none."""
        rest = memoryview(data)
        while rest:
            if self._ended:
                break  # zeros up to a multiple of some size
            taken = self._take(rest)
            rest = rest[taken:]
        return len(data)

    def finish(self) -> None:
        """Say that the stream is over; NotTar unless it was whole."""
        if not self._ended:
            raise NotTar(DetailCode.TAR_CUT_SHORT())

    def _take(self, data: memoryview) -> int:
        if self._body:
            taken = min(self._body, len(data))
            self._receiver.content(data[:taken])
            self._body -= taken
            if not self._body:
                self._receiver.end()
        elif self._padding:
            taken = min(self._padding, len(data))
            self._padding -= taken
        else:
            taken = min(BLOCK - len(self._head), len(data))
            self._head += data[:taken]
            if len(self._head) == BLOCK:
                self._enter(bytes(self._head))
                self._head.clear()
        return taken

    def _enter(self, head: bytes) -> None:
        if not any(head):
            self._ended = True
            return
        member = member_of(head)
        self._body = member.size
        self._padding = -member.size % BLOCK
        self._receiver.begin(member)
        if not member.size:
            self._receiver.end()


class Picking:
    """A source that passes a tar stream on and keeps the content of the file `wanted`."""

    def __init__(self, source: Readable, wanted: str) -> None:
        self._source = source
        self._wanted = wanted.encode()
        self._keep = False
        self._tar = Tar(self)
        self.found = bytearray()

    def read(self, size: int = -1, /) -> bytes:
        """As the source does; NotTar when that is no tar stream."""
        data = self._source.read(size)
        self._tar.write(data)
        return data

    def begin(self, member: Member, /) -> None:
        """As `Receiver`."""
        self._keep = member.name == self._wanted

    def content(self, data: memoryview, /) -> None:
        """As `Receiver`."""
        if self._keep:
            self.found += data

    def end(self) -> None:
        """As `Receiver`."""


def member_of(head: bytes) -> Member:
    """What a header says; NotTar when it is none."""
    blank = bytes(head[: _CHECKSUM.start]) + b" " * 8 + head[_CHECKSUM.stop :]
    if sum(blank) != _number(head[_CHECKSUM]):
        raise NotTar(DetailCode.TAR_CHECKSUM())
    kind = head[156:157]
    return Member(head[:100].rstrip(b"\0"), _number(head[124:136]), kind in _FILES, kind == _FOLDER)


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field, "big") & ~(0x80 << 8 * (len(field) - 1))
    try:
        return int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        raise NotTar(DetailCode.TAR_NUMBER(field=repr(field))) from None
