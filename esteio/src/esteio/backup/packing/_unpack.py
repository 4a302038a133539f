"""Back from what was packed to what it was.

Promises: a bite that `Blocks` cuts grows to about 1 MB at most, whatever was written into it: a block, of which
a frame consists, grows to 128 KiB at most (RFC 8878, 3.1.1.2.4). A frame that is none is cut small, and refused by who
decompresses it.
"""

from __future__ import annotations

import hashlib

import pyrage  # type: ignore[import-untyped]
import zstandard

from esteio.backup._details import DetailCode
from esteio.backup.packing._keys import Decryption, PackUnreadable, WrongKey
from esteio.backup.packing._pack import CHUNK, Failures, Packed, Readable, Reading, Writable, Writing

__all__ = ["Blocks", "unpack"]

_MOST = 1 << 20
_BLOCK = 128 << 10
_SMALL = 1024  # of what is no frame: even zeros don't grow beyond 32 MB
_MAGIC = b"\x28\xb5\x2f\xfd"
_CONTENT_SIZE = (0, 2, 4, 8)
_DICTIONARY = (0, 1, 2, 4)
_REPEATED, _RESERVED = 1, 3


class Blocks:
    """Follows a frame from its beginning, in pieces of any size."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._wanted = len(_MAGIC) + 1
        self._skip = 0
        self._in_blocks = False
        self._lost = False

    def bite(self, data: memoryview) -> int:
        """How many bytes of `data`, which come next, can be decompressed at once; at least one, unless it is empty."""
        at, begun = 0, 0
        while at < len(data) and not self._lost:
            if self._skip:
                taken = min(self._skip, len(data) - at)
                self._skip -= taken
            else:
                taken = min(self._wanted - len(self._head), len(data) - at)
                self._head += data[at : at + taken]
                if len(self._head) == self._wanted:
                    begun += self._enter()
            at += taken
            if begun * _BLOCK >= _MOST:
                return at
        return min(at + _SMALL, len(data)) if self._lost else at

    def _enter(self) -> int:
        """Take a header that is complete; how many blocks begin with it."""
        if self._in_blocks:
            return self._enter_block()
        if len(self._head) == len(_MAGIC) + 1:
            self._wanted += self._rest_of_head()
            self._lost = self._head[:4] != _MAGIC
        if len(self._head) == self._wanted:
            self._in_blocks = True
            self._next()
        return 0

    def _rest_of_head(self) -> int:
        flags = self._head[4]
        single = flags >> 5 & 1
        size = _CONTENT_SIZE[flags >> 6] or single
        return (0 if single else 1) + _DICTIONARY[flags & 3] + size

    def _enter_block(self) -> int:
        head = int.from_bytes(self._head, "little")
        kind, size = head >> 1 & 3, head >> 3
        self._lost = (
            bool(head & 1) or kind == _RESERVED
        )  # after the last block comes a checksum, and nothing that grows
        self._skip = 1 if kind == _REPEATED else size
        self._next()
        return 1

    def _next(self) -> None:
        self._head.clear()
        self._wanted = 3


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
        raise WrongKey(DetailCode.NO_KEY())
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
            self._refuse(DetailCode.CUT_SHORT() if self.begun else DetailCode.EMPTY())

    def _bite(self, data: memoryview) -> None:
        self.begun = True
        if self._frame.eof or self._frame.unused_data:
            self._refuse(DetailCode.TRAILING_DATA())
        try:
            grown = self._frame.decompress(data)
        except zstandard.ZstdError as error:
            self._refuse(f"zstd: {error}")
        if self._frame.unused_data:
            self._refuse(DetailCode.TRAILING_DATA())
        if grown:
            self._sink.write(grown)

    def _refuse(self, reason: str) -> None:
        self.refusal = PackUnreadable(reason)
        raise self.refusal
