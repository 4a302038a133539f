"""From a source to a sink, compressed and encrypted.

Promises: an error of a source or sink reaches the caller as it was raised, even through a library that only
passes on its text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, Protocol, cast

import pyrage  # type: ignore[import-untyped]
import zstandard

from esteio.backup.packing._keys import Encryption

__all__ = ["CHUNK", "Failures", "Packed", "Packing", "Readable", "Reading", "Writable", "Writing"]

CHUNK = 256 * 1024


class Readable(Protocol):
    """What can be read: a file, a pipe, a download."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...


class Writable(Protocol):
    """What can be written: a file, a pipe, an upload."""

    def write(self, data: bytes, /) -> object:
        """Take all of `data`."""
        ...


def _unseen(_data: bytes) -> None:
    """Look at nothing."""


class Failures:
    """The first error that a source or sink raised."""

    def __init__(self) -> None:
        self.first: BaseException | None = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Remember what is raised inside, and let it pass."""
        try:
            yield
        except BaseException as error:
            self.first = self.first or error
            raise

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Raise the remembered error in place of the one a library made of it."""
        try:
            yield
        except BaseException as error:
            if self.first is not None and error is not self.first:
                raise self.first from None
            raise


class Reading:
    """A source that counts what is read from it, and shows it to `seen`."""

    def __init__(self, source: Readable, failures: Failures, seen: Callable[[bytes], object] = _unseen) -> None:
        self._source = source
        self._failures = failures
        self._seen = seen
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        """As the source does."""
        with self._failures.noted():
            data = self._source.read(size)
        self.size += len(data)
        self._seen(data)
        return data


class Writing:
    """A sink that counts what is written to it, and shows it to `seen`."""

    def __init__(self, sink: Writable, failures: Failures, seen: Callable[[bytes], object] = _unseen) -> None:
        self._sink = sink
        self._failures = failures
        self._seen = seen
        self.size = 0

    def write(self, data: bytes, /) -> int:
        """Hand all of `data` on."""
        data = bytes(data)
        with self._failures.noted():
            self._sink.write(data)
        self.size += len(data)
        self._seen(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back here."""


_LEVELS = (-20, 19)  # above, memory grows beyond what is promised
_MOST_THREADS = 64


@dataclass(frozen=True, slots=True)
class Packed:
    """What went through: bytes before packing and as packed, and the sha256 (hexadecimal) of what was packed."""

    size: int
    packed_size: int
    packed_sha256: str


@dataclass(frozen=True, slots=True)
class Packing:
    """How streams are packed: zstd of `level`, then `encryption`.

    `level` is 1 to 19, or -1 to -20 for what `zstd --fast` calls 1 to 20; `threads`, up to 64, are those of zstd (0: it
    works in the caller's own, for the least effort in all).
    """

    level: int = 3
    threads: int = 0
    encryption: Encryption | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        low, high = _LEVELS
        if not (low <= self.level <= high and self.level):
            msg = f"Packing: level is {self.level}; allowed: {low} to -1, and 1 to {high}"
            raise ValueError(msg)
        if not 0 <= self.threads <= _MOST_THREADS:
            msg = f"Packing: threads is {self.threads}; allowed: 0 to {_MOST_THREADS}"
            raise ValueError(msg)

    @property
    def suffix(self) -> str:
        """What a packed file's name ends with: `.zst` or `.zst.age`."""
        return ".zst" if self.encryption is None else ".zst.age"

    def pack(self, source: Readable, sink: Writable) -> Packed:
        """Read `source` to its end into `sink`; an error of either passes as it is, and `sink` is then worthless."""
        failures = Failures()
        digest = hashlib.sha256()
        reading, writing = Reading(source, failures), Writing(sink, failures, digest.update)
        compressor = zstandard.ZstdCompressor(level=self.level, threads=self.threads, write_checksum=True)
        with (
            failures.restored(),
            compressor.stream_reader(cast("IO[bytes]", reading), read_size=CHUNK, closefd=False) as small,
        ):
            if self.encryption is None:
                while data := small.read(CHUNK):
                    writing.write(data)
            else:
                pyrage.encrypt_io(small, writing, list(self.encryption.recipients))
        return Packed(reading.size, writing.size, digest.hexdigest())

    def beside(self, streams: int) -> Packing:
        """The same for each of `streams` that are packed at the same time: they share the threads."""
        share = self.threads // streams
        return self if streams == 1 else replace(self, threads=share if share > 1 else 0)
