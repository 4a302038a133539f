"""A tar stream unpacked into a data directory, compared with PostgreSQL's own list of its files as it goes by.

Promises: regular files and directories below the directory only, readable by their owner alone; a stream that ends too
early, or was changed, raises what the reader of the backup says, and never passes for whole. Every file that is listed is
there with its size, and its sha256 where the list has those; nothing that is not listed is there; the list's own checksum
is right. What was written is not read again. Making all of it durable comes after the replay, and
finds little left to do where the disk began to write at once.

Lists have CRC32C, which costs a server little and which `pg_verifybackup` checks: what lay in a store is covered by the
sha256 of the whole stream. The WAL is not listed: PostgreSQL checks that itself, record by record.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

from esteio.backup._details import DetailCode, detail_of
from esteio.backup._errors import BackupDamaged
from esteio.backup._files import BackupReader
from esteio.backup._manifest import Part
from esteio.backup.base._tar import Member, NotTar, Tar
from esteio.backup.packing import Writable

__all__ = ["Comparison", "Listed", "problems", "unpack_tar"]

_UNLISTED = ("pg_wal/", "backup_manifest", "backup_label", "tablespace_map", "postgresql.auto.conf")
_WORST = 20


@dataclass(frozen=True, slots=True)
class Listed:
    """A file's size in bytes, and its checksum (hexadecimal) by `algorithm`."""

    size: int
    algorithm: str
    checksum: str


class Comparison:
    """Of files that are told one by one with the list `files`: the content of backup_manifest."""

    def __init__(self, files: bytes) -> None:
        self._listed: dict[str, dict[str, Any]] = {}
        self._seen: set[str] = set()
        self._wrong: list[str] = []
        head, mark, rest = files.rpartition(b'"Manifest-Checksum"')
        self._sound = bool(mark) and hashlib.sha256(head).hexdigest().encode() in rest
        if self._sound:
            listed = {_path(entry): entry for entry in json.loads(files)["Files"]}
            self._listed = {name: entry for name, entry in listed.items() if not name.startswith("pg_wal/")}

    def wants(self, name: str) -> bool:
        """Whether the file `name`, a path below the data directory, is to be told."""
        return self._sound and not name.startswith("pg_wal/")

    def listed(self) -> Mapping[str, Listed]:
        """What the list says of each file, but for WAL; empty when it was changed."""
        return {
            name: Listed(entry["Size"], entry.get("Checksum-Algorithm", "NONE"), entry.get("Checksum", ""))
            for name, entry in self._listed.items()
        }

    def hashed(self, name: str) -> bool:
        """Whether the list has a sha256 for the file `name`."""
        return name in self._listed and self._listed[name].get("Checksum-Algorithm") == "SHA256"

    def tell(self, name: str, size: int, sha256: str | None) -> None:
        """The file `name` has `size` bytes; with this sha256 (hexadecimal) where it is `hashed`."""
        entry = self._listed.get(name)
        self._seen.add(name)
        if entry is None:
            if not name.startswith(_UNLISTED):
                self._wrong.append(DetailCode.IN_FILE(file=name, reason=DetailCode.NOT_LISTED()))
        elif size != entry["Size"]:
            reason = DetailCode.SIZE_NOT_LISTED(found=size, written=entry["Size"])
            self._wrong.append(DetailCode.IN_FILE(file=name, reason=reason))
        elif self.hashed(name) and sha256 != entry["Checksum"]:
            self._wrong.append(DetailCode.IN_FILE(file=name, reason=DetailCode.SHA256_NOT_LISTED()))

    def problems(self) -> list[str]:
        """What is wrong, now that all files were told; at most 20 sentences."""
        if not self._sound:
            return [DetailCode.LIST_CHANGED()]
        lacking = DetailCode.LISTED_MISSING()
        missing = [DetailCode.IN_FILE(file=name, reason=lacking) for name in self._listed if name not in self._seen]
        return [*missing, *self._wrong][:_WORST]


def problems(directory: Path, files: bytes) -> list[str]:
    """What is wrong with `directory`, by the list `files`; at most 20 sentences."""
    compared = Comparison(files)
    for path in directory.rglob("*"):
        name = path.relative_to(directory).as_posix()
        if compared.wants(name) and path.is_file():
            compared.tell(name, path.stat().st_size, _sha256(path) if compared.hashed(name) else None)
    return compared.problems()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _path(entry: dict[str, Any]) -> str:
    """A file's path; PostgreSQL encodes those that are no UTF-8."""
    if "Path" in entry:
        return str(entry["Path"])
    return bytes.fromhex(entry["Encoded-Path"]).decode(errors="surrogateescape")


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)  # Windows would write line ends its way
_SMALL = 256 << 10  # bytes: below, asking for it costs more than it gains
_WRITE_BACK = 32 << 20
_MOST_WAITING = 8 << 20  # bytes between the thread that unpacks and the one that writes


def unpack_tar(
    reader: BackupReader,
    parts: Sequence[Part],
    directory: Path,
    compared: Comparison,
    *,
    write_back: bool,
    kept: Collection[str] = (),
    below: str = "",
    tell: Callable[[int], None] = lambda _size: None,
) -> None:
    """Extract `parts` of a backup, the pieces of one stream, into `directory`, and tell `compared` of each file.

    The directory is made; with `kept` it is there, and so are those of its files. `below` is its path in the list of files
    where it is not the data directory; it may be there then, too. With `write_back` the disk begins to
    write at once; `tell` is called with the number of bytes of each piece.
    BackupDamaged when the part was changed or is no tar file, and whatever the stores raise.
    """
    directory.mkdir(mode=0o700, exist_ok=bool(kept or below), parents=bool(below))
    with closing(_Extraction(directory, compared, write_back, kept, below)) as extraction:
        checked = _Checked(Tar(extraction))
        with ThreadedWriter(checked) as writer:
            for part in parts:
                reader.read(part, _Told(writer, tell))
        if wrong := checked.finish():
            raise BackupDamaged(
                reader.manifest.id, parts[-1].name, DetailCode.NO_TAR(reason=detail_of(wrong))
            ) from wrong


class _Told:
    """A sink that tells how much goes through it."""

    def __init__(self, sink: ThreadedWriter, tell: Callable[[int], None]) -> None:
        self._sink = sink
        self._tell = tell

    def write(self, data: bytes, /) -> int:
        size = self._sink.write(data)
        self._tell(size)
        return size


class _Checked:
    """A sink for a tar stream that takes all of it even when it is none: what was changed is named by its reader."""

    def __init__(self, tar: Tar) -> None:
        self._tar = tar
        self._wrong: NotTar | None = None

    def write(self, data: bytes, /) -> int:
        if self._wrong is None:
            try:
                self._tar.write(data)
            except NotTar as error:
                self._wrong = error
        return len(data)

    def finish(self) -> NotTar | None:
        """What was wrong with it."""
        try:
            self._tar.finish()
        except NotTar as error:
            return self._wrong or error
        return self._wrong


class _Extraction:
    """Makes the files of a stream below `directory`."""

    def __init__(
        self, directory: Path, compared: Comparison, write_back: bool, kept: Collection[str], below: str
    ) -> None:
        self._below = below
        self._kept = kept
        self._directory = directory
        self._compared = compared
        self._writes_back = write_back and hasattr(os, "posix_fadvise")
        self._name = ""
        self._size = 0
        self._hash: hashlib._Hash | None = None
        self._file = -1
        self._unwritten = 0

    def begin(self, member: Member, /) -> None:
        """Make a file or a directory; NotTar for whatever else, and for what lies elsewhere."""
        path = PurePosixPath(os.fsdecode(member.name))
        if path.is_absolute() or ".." in path.parts or not (member.is_file or member.is_folder):
            raise NotTar(DetailCode.TAR_ENTRY_REFUSED(name=repr(str(path))))
        target = self._directory / path
        if member.is_folder:
            target.mkdir(mode=0o700, exist_ok=True)
            return
        self._name, self._size = self._below + path.as_posix(), member.size
        if self._name in self._kept:
            return
        self._hash = hashlib.sha256() if self._compared.hashed(self._name) else None
        self._file = os.open(target, _NEW, 0o600)

    def content(self, data: memoryview, /) -> None:
        """Write it, and hash it where its hash is known."""
        if self._file < 0:  # it is there already
            return
        if self._hash is not None:
            self._hash.update(data)
        while data:
            written = os.write(self._file, data)
            self._unwritten += written
            data = data[written:]
        if self._unwritten > _WRITE_BACK:
            self._write_back()

    def end(self) -> None:
        """Close the file and tell of it."""
        if self._file < 0:  # of a directory, or of a file that is there already
            return
        self._write_back()
        self.close()
        if self._compared.wants(self._name):
            self._compared.tell(self._name, self._size, self._hash.hexdigest() if self._hash else None)

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write_back(self) -> None:
        if self._writes_back and self._unwritten >= _SMALL:
            os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_DONTNEED)
        self._unwritten = 0


class ThreadedWriter:
    """A sink that works in a thread of its own, so that one core fills it while another empties it.

    Hands what is written on to `sink`, in order; at most 8 MB wait, plus the piece that is handed over. What the sink raises
    reaches who writes, or who leaves the block, once. Use it as `with ThreadedWriter(sink) as writer:`.
    """

    def __init__(self, sink: Writable) -> None:
        self._sink = sink
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._closed = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="esteio threaded writer", daemon=True)

    def write(self, data: bytes, /) -> int:
        """Take all of `data`; raises what the sink raised at an earlier piece."""
        piece = bytes(data)  # who writes may use its buffer again
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < _MOST_WAITING or self._failure is not None)
            if self._failure is not None:
                raise self._failure
            self._pieces.append(piece)
            self._waiting += len(piece)
            self._changed.notify_all()
        return len(piece)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with self._changed:
            self._closed = True
            if error is not None:
                self._pieces.clear()
            self._changed.notify_all()
        self._thread.join()
        if error is None and self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            while (piece := self._next()) is not None:
                self._sink.write(piece)
                with self._changed:
                    self._waiting -= len(piece)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again by who writes
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._closed)
            return self._pieces.popleft() if self._pieces else None
