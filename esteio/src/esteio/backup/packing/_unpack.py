"""Back from what was packed to what it was."""

from __future__ import annotations

import hashlib

import pyrage  # type: ignore[import-untyped]
import zstandard

from esteio.backup.packing._blocks import Blocks
from esteio.backup.packing._errors import PackUnreadable, WrongKey
from esteio.backup.packing._keys import Decryption
from esteio.backup.packing._pack import Packed
from esteio.backup.packing._streams import CHUNK, Failures, Readable, Reading, Writable, Writing

__all__ = ["unpack"]

_AGE = b"age-encryption.org/"


def unpack(source: Readable, sink: Writable, key: Decryption | None = None) -> Packed:
    """Read `source`, packed by `Packing` or by `zstd` and `age` themselves, into `sink`.

    PackUnreadable when it is cut short or was changed, WrongKey when `key` does not open it or is missing. What
    reached `sink` before that is worthless. A change that leaves the content as it was, such as of a window's size, is
    only seen in the returned `packed_sha256`.
    """
    failures = Failures()
    digest = hashlib.sha256()
    reading, writing = Reading(source, failures, digest.update), Writing(sink, failures)
    growing = _Growing(writing)
    with failures.restored():
        head = _exactly(reading, len(_AGE))
        if head == _AGE:
            _decrypt(_Rewound(head, reading), growing, key)
        else:
            growing.write(head)
            while data := reading.read(CHUNK):
                growing.write(data)
        growing.finish()
    return Packed(writing.size, reading.size, digest.hexdigest())


def _decrypt(source: _Rewound, sink: _Growing, key: Decryption | None) -> None:
    if key is None:
        raise WrongKey("no key was given")
    try:
        pyrage.decrypt_io(source, sink, list(key.identities))
    except (pyrage.DecryptError, OSError) as error:  # an OSError of an end is put in its place by `restored`
        if sink.refusal is not None:
            raise sink.refusal from None
        if sink.begun or "match" not in str(error).lower():
            raise PackUnreadable(f"age: {error}") from None
        raise WrongKey(str(error)) from None


def _exactly(source: Readable, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := source.read(size - len(data))):
        data += more
    return data


class _Rewound:
    """A source whose beginning was read already."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1, /) -> bytes:
        if self._head:
            cut = len(self._head) if size < 0 else size
            data, self._head = self._head[:cut], self._head[cut:]
            return data
        return self._rest.read(size)


class _Growing:
    """A sink that decompresses one frame, and knows whether it was whole."""

    def __init__(self, sink: Writing) -> None:
        self._sink = sink
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._blocks = Blocks()
        self.begun = False
        self.refusal: PackUnreadable | None = None

    def write(self, data: bytes, /) -> int:
        view = memoryview(data)
        while view:
            end = self._blocks.bite(view)
            self._bite(view[:end])
            view = view[end:]
        return len(data)

    def flush(self) -> None:
        self._sink.flush()

    def finish(self) -> None:
        if not self._frame.eof:
            self._refuse("it ends in the middle" if self.begun else "it is empty")

    def _bite(self, data: memoryview) -> None:
        self.begun = True
        if self._frame.eof or self._frame.unused_data:
            self._refuse("something follows its end")
        try:
            grown = self._frame.decompress(data)
        except zstandard.ZstdError as error:
            self._refuse(f"zstd: {error}")
        if self._frame.unused_data:
            self._refuse("something follows its end")
        if grown:
            self._sink.write(grown)

    def _refuse(self, reason: str) -> None:
        self.refusal = PackUnreadable(reason)
        raise self.refusal
