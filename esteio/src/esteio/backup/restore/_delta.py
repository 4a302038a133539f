"""A data directory made to be as a base was, by rewriting only what differs from it.

Promises: a file stays only if its size and its checksum are those of PostgreSQL's list of files; its date counts for nothing,
and what the list does not name is removed, the WAL included. From the first change until all is in place and was replayed
the directory has no `global/pg_control`, without which no server starts on it: a mixture is never taken for a cluster, and
the next attempt goes on from it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import google_crc32c

from esteio.backup._details import DetailCode
from esteio.backup._errors import RestoreRefused
from esteio.backup._files import BackupReader
from esteio.backup._manifest import Manifest, Part
from esteio.backup._progress import Progress
from esteio.backup.base._pieces import INDEX, TABLESPACE_INDEX, ordered
from esteio.backup.restore._data_directory import Comparison, Listed
from esteio.backup.restore._tablespaces import OWN
from esteio.system import sync_directory

__all__ = ["CONTROL", "invalidate", "kept_files", "needed_of_tablespace", "needed_pieces", "refuse_delta"]

CONTROL = Path("global") / "pg_control"
_CHUNK = 1 << 20


def refuse_delta(directory: Path, chain: Sequence[Manifest]) -> None:
    """RestoreRefused when `directory` can't be rewritten in place."""
    name = str(directory)
    if not (directory / "global").is_dir():
        raise RestoreRefused(name, DetailCode.NO_DATA_DIRECTORY(), DetailCode.LEAVE_OUT_DELTA())
    if len(chain) > 1:
        reason = DetailCode.DELTA_INCREMENTAL(backup=chain[-1].id)
        raise RestoreRefused(name, reason, DetailCode.LEAVE_OUT_DELTA())
    if (directory / "pg_wal").is_symlink():
        raise RestoreRefused(name, DetailCode.DELTA_LINKS(links="pg_wal"), DetailCode.LEAVE_OUT_DELTA())


def invalidate(directory: Path) -> None:
    """See that no server starts on `directory` any more."""
    (directory / CONTROL).unlink(missing_ok=True)
    sync_directory(directory / "global")


def kept_files(
    directory: Path, compared: Comparison, progress: Progress, spaces: Mapping[str, Path], major: int
) -> frozenset[str]:
    """Remove from `directory`, and from its tablespaces `spaces` by oid, every file that differs from the list.

    The names of those that stay, told to `compared`. Of a tablespace only what PostgreSQL `major` has there.
    """
    listed = compared.listed()
    total, done, kept = sum(each.size for each in listed.values()), 0, set()
    for name, path in list(_named(directory, spaces, major)):
        entry = listed.get(name)
        if entry is not None and path.is_file() and not path.is_symlink() and _is_same(path, entry):
            compared.tell(name, entry.size, entry.checksum)
            kept.add(name)
        else:
            path.unlink()
        done += entry.size if entry else 0
        progress("differences", done, total, "bytes")
    return frozenset(kept)


def needed_pieces(reader: BackupReader, kept: frozenset[str]) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """The pieces of the base in which something is not `kept`, in their order, and the directories of the others."""
    parts = ordered(reader.manifest)
    if not any(part.role == INDEX for part in reader.manifest.parts):
        return parts, ()
    return _needed(parts, json.loads(reader.text(INDEX)), kept)


def needed_of_tablespace(
    reader: BackupReader, oid: str, parts: Sequence[Part], kept: frozenset[str]
) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """As `needed_pieces`, of the tablespace `oid`; the directories are paths below its own."""
    below = f"pg_tblspc/{oid}/"
    own = frozenset(name.removeprefix(below) for name in kept if name.startswith(below))
    return _needed(parts, json.loads(reader.text(TABLESPACE_INDEX))[oid], own)


def _needed(
    parts: Sequence[Part], names: Sequence[Sequence[str]], kept: frozenset[str]
) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    needed, folders = [], []
    for number, part in enumerate(parts):
        files = [name for name in names[number] if not name.endswith("/")]
        if number == len(parts) - 1 or not kept.issuperset(files):  # the last one ends the stream
            needed.append(part)
        else:
            folders += [name for name in names[number] if name.endswith("/")]
    return tuple(needed), tuple(folders)


def _named(directory: Path, spaces: Mapping[str, Path], major: int) -> Iterator[tuple[str, Path]]:
    """All files, and as what the list has each."""
    for folder, folders, names in os.walk(directory):
        if Path(folder) == directory:
            folders[:] = [name for name in folders if name != OWN]  # they come as tablespaces
        yield from (((Path(folder) / name).relative_to(directory).as_posix(), Path(folder) / name) for name in names)
    for oid, place in spaces.items():
        for path in place.glob(f"PG_{major}_*/**/*"):  # a cluster of another major may have its tablespace there too
            if not path.is_dir() or path.is_symlink():
                yield f"pg_tblspc/{oid}/{path.relative_to(place).as_posix()}", path


def _is_same(path: Path, entry: Listed) -> bool:
    if path.stat().st_size != entry.size or entry.algorithm not in _DIGESTS:
        return False
    with path.open("rb") as file:
        return _DIGESTS[entry.algorithm](iter(lambda: file.read(_CHUNK), b"")) == entry.checksum


def _crc32c(content: Iterator[bytes]) -> str:
    value = 0
    for data in content:
        value = google_crc32c.extend(value, data)
    return value.to_bytes(4, "little").hex()  # as it lies in the memory of a server on x86 or ARM


def _sha256(content: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for data in content:
        digest.update(data)
    return digest.hexdigest()


_DIGESTS: Mapping[str, Callable[[Iterator[bytes]], str]] = {"CRC32C": _crc32c, "SHA256": _sha256}
