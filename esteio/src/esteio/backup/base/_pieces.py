"""The stream of a base cut into pieces, so that a restore can leave out those in which nothing differs.

Promises: the pieces one after another are the stream, byte for byte. Each begins with the header of a file or directory, and
ends before the next header after 64 MB; a large file is never divided. What is in which piece is known at the end.
"""

from __future__ import annotations

from collections.abc import Iterator

from esteio.backup._manifest import Manifest, Part
from esteio.backup.base._tar import BLOCK, member_of
from esteio.backup.packing import Readable

__all__ = ["BASE", "INDEX", "ORDER", "TABLESPACE", "TABLESPACES", "TABLESPACE_INDEX", "Piece", "Pieces", "ordered"]

BASE = "base"
"""The role of the pieces."""
INDEX = "pieces"
"""The role of the list of what is in each; only where there are several."""
ORDER = "pieces"
"""In a manifest's details: the names of the pieces in their order; only where there are several."""
TABLESPACE = "tablespace"
"""The role of the pieces of a tablespace."""
TABLESPACE_INDEX = "tablespace pieces"
"""The role of the list of what is in each, by the tablespace's oid."""
TABLESPACES = "tablespaces"
"""In a manifest's details: each with its oid, name, location and the names of its pieces in their order."""
LEAST = 64 << 20  # bytes of the content of a piece: a terabyte has at most 16,000 of them
_CHUNK = 256 << 10


def ordered(manifest: Manifest) -> tuple[Part, ...]:
    """The pieces of a base or an incremental, in their order."""
    if ORDER not in manifest.details:
        return (manifest.part(BASE),)
    parts = {part.name: part for part in manifest.parts}
    return tuple(parts[name] for name in manifest.details[ORDER])


class Pieces:
    """Of the tar stream `source`: iterate over it, and read each piece to its end before the next."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._least = LEAST
        self._buffer = memoryview(b"")
        self._left = 0  # bytes of the member that was begun, with its padding
        self.names: list[list[str]] = []
        """What is in each piece so far; directories end with `/`."""

    def __iter__(self) -> Iterator[Piece]:
        while self._filled(BLOCK):
            self.names.append([])
            piece = Piece(self)
            yield piece
            assert piece.ended, "each piece is read to its end before the next"

    def read(self, size: int, done: int) -> bytes:
        """Up to `size` bytes of the piece of which `done` were read; none at its end."""
        if not self._left:
            if not self._filled(BLOCK):
                data, self._buffer = bytes(self._buffer), memoryview(b"")
                return data
            head = bytes(self._buffer[:BLOCK])
            if done >= self._least and any(head):  # the end mark belongs to the piece before it
                return b""
            self._enter(head)
        self._filled(1)
        cut = min(size, self._left, len(self._buffer))
        data, self._buffer = bytes(self._buffer[:cut]), self._buffer[cut:]
        self._left -= cut
        return data

    def _enter(self, head: bytes) -> None:
        """A member begins, or an end mark."""
        if not any(head):
            self._left = BLOCK
            return
        member = member_of(head)
        self._left = BLOCK + member.size + -member.size % BLOCK
        self.names[-1].append(member.path if member.is_file else member.path.rstrip("/") + "/")

    def _filled(self, wanted: int) -> bool:
        """Have `wanted` bytes at hand; False when the stream ends before."""
        while len(self._buffer) < wanted:
            more = self._source.read(_CHUNK)
            if not more:
                return False
            self._buffer = memoryview(bytes(self._buffer) + more)
        return True


class Piece:
    """One piece, as a source."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._done = 0
        self.ended = False

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes of it."""
        data = self._pieces.read(_CHUNK if size < 0 else size, self._done)
        self._done += len(data)
        self.ended = not data
        return data
