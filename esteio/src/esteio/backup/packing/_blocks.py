"""How much of a zstd frame may be decompressed at once.

Promises: pure; a bite that `Blocks` cuts grows to about 1 MB at most, whatever was written into it: a block, of which
a frame consists, grows to 128 KiB at most (RFC 8878, 3.1.1.2.4). A frame that is none is cut small, and refused by who
decompresses it.
"""

from __future__ import annotations

__all__ = ["Blocks"]

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
