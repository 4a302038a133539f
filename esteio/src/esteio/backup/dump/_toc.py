"""The head of an archive of pg_dump without what it says of the database itself.

Promises: an archive always holds the `ALTER DATABASE ... SET` statements, even where nobody asked for them, and a secret may
be in one. They become blanks of the same length, so every other byte, and each offset, stays; pg_restore runs them only with
--create, and a restore of ours sets what has to be set by itself. A head that is not understood is refused: a secret in it
could not be seen. Versions 1.14 to 1.16 of the format, which PostgreSQL 15 to 18 write.
"""

from __future__ import annotations

from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupError
from esteio.backup.packing import Readable

__all__ = ["ArchiveUnknown", "WithoutProperties"]

_MAGIC = b"PGDMP"
_KNOWN = ((1, 14), (1, 16))
_COMPRESSION_IS_A_BYTE = (1, 15)  # since then; a number before
_HAS_RELKIND = (1, 16)
_PROPERTIES = b"DATABASE PROPERTIES"
_CHUNK = 1 << 20
_LARGEST = 1 << 30  # bytes of a head; a million tables have half of that


class ArchiveUnknown(BackupError):
    """An archive whose head can't be read, so that nobody knows whether a secret is in it."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(DetailCode.SETTINGS_STAY(reason=reason))


class WithoutProperties:
    """A source that passes an archive on, but for the properties of its database. Its head is held in memory."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._head: memoryview | None = None

    def read(self, size: int = -1, /) -> bytes:
        """As the source does; ArchiveUnknown."""
        if self._head is None:
            self._head = memoryview(_Head(self._source).blanked())
        if self._head:
            cut = len(self._head) if size < 0 else size
            data, self._head = bytes(self._head[:cut]), self._head[cut:]
            return data
        return self._source.read(size)


class _Head:
    """The header and the list of contents, read as pg_backup_archiver.c writes them."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._data = bytearray()
        self._at = 0
        self._int = self._offset = 4

    def blanked(self) -> bytes:
        """What was read of the source, all of the head and perhaps more."""
        if self._take(len(_MAGIC)) != _MAGIC:
            raise ArchiveUnknown(DetailCode.NO_ARCHIVE())
        version = (self._byte(), self._byte())
        if not _KNOWN[0] <= version <= _KNOWN[1]:
            raise ArchiveUnknown(DetailCode.ARCHIVE_VERSION(version=f"{version[0]}.{version[1]}"))
        self._byte()  # revision
        self._int, self._offset = self._byte(), self._byte()
        self._byte()  # format
        if version >= _COMPRESSION_IS_A_BYTE:
            self._byte()
        else:
            self._number()
        for _ in range(7):  # when it was made
            self._number()
        for _ in range(3):  # the database's name and two versions
            self._text()
        for _ in range(self._number()):
            self._entry(version)
        return bytes(self._data)

    def _entry(self, version: tuple[int, int]) -> None:
        self._number()  # its identifier
        self._number()  # whether it has data
        for _ in range(3):  # two OIDs and a tag
            self._text()
        begin, end = self._text()
        properties = self._data[begin:end] == _PROPERTIES
        self._number()  # section
        begin, end = self._text()  # the statement
        if properties:
            self._data[begin:end] = b" " * (end - begin)
        for _ in range(5):  # how to drop and to copy it, schema, tablespace, access method
            self._text()
        if version >= _HAS_RELKIND:
            self._number()
        for _ in range(2):  # owner, and a word of old
            self._text()
        while self._text() != _NULL:  # what it depends on
            pass
        self._take(1 + self._offset)  # where its data is

    def _byte(self) -> int:
        return self._take(1)[0]

    def _number(self) -> int:
        negative = self._byte()
        value = int.from_bytes(self._take(self._int), "little")
        return -value if negative else value

    def _text(self) -> tuple[int, int]:
        """From where to where it goes."""
        length = self._number()
        if length < 0:
            return _NULL
        self._take(length)
        return self._at - length, self._at

    def _take(self, size: int) -> bytes:
        end = self._at + size
        while len(self._data) < end:
            more = self._source.read(_CHUNK)
            if not more or len(self._data) > _LARGEST:
                raise ArchiveUnknown(DetailCode.ARCHIVE_HEAD())
            self._data += more
        begin, self._at = self._at, end
        return bytes(self._data[begin:end])


_NULL = (-1, -1)
