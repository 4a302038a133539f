"""One file picked out of a tar stream that goes by.

Promises: nothing is held back and nothing but the wanted file is kept. Reads what pg_basebackup writes: ustar headers
with sizes in octal, or in base 256 above 8 GB.
"""

from __future__ import annotations

from esteio.backup.packing import Readable

__all__ = ["Picking"]

_BLOCK = 512


class Picking:
    """A source that passes a tar stream on and keeps the content of the file `wanted`."""

    def __init__(self, source: Readable, wanted: str) -> None:
        self._source = source
        self._wanted = wanted.encode()
        self._head = bytearray()
        self._body = 0
        self._padding = 0
        self._keep = False
        self.found = bytearray()

    def read(self, size: int = -1, /) -> bytes:
        """As the source does."""
        data = self._source.read(size)
        self._scan(memoryview(data))
        return data

    def _scan(self, data: memoryview) -> None:
        while data:
            if self._body:
                taken = min(self._body, len(data))
                if self._keep:
                    self.found += data[:taken]
                self._body -= taken
            elif self._padding:
                taken = min(self._padding, len(data))
                self._padding -= taken
            else:
                taken = min(_BLOCK - len(self._head), len(data))
                self._head += data[:taken]
                if len(self._head) == _BLOCK:
                    self._enter(bytes(self._head))
                    self._head.clear()
            data = data[taken:]

    def _enter(self, head: bytes) -> None:
        self._body = _number(head[124:136])
        self._padding = -self._body % _BLOCK
        self._keep = head[:100].rstrip(b"\0") == self._wanted


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field, "big") & ~(0x80 << 8 * (len(field) - 1))
    return int(field.strip(b"\0 ") or b"0", 8)
