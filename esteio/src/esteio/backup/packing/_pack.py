"""From a source to a sink, made smaller and locked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import IO, cast

import pyrage  # type: ignore[import-untyped]
import zstandard

from esteio.backup.packing._keys import Encryption
from esteio.backup.packing._streams import CHUNK, Failures, Readable, Reading, Writable, Writing

__all__ = ["Packed", "Packing"]

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
