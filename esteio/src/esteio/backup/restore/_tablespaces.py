"""Where the tablespaces of a base lie after a restore.

Promises: without a mapping each goes into the restored directory itself, `tablespaces/OID`, so that nothing that lies where it
was is touched; as with pg_basebackup, a mapping names an absolute directory that is new or empty. Links in `pg_tblspc` are
absolute, since a base backup by PostgreSQL follows them, so a directory that gets another name has its own ones made anew
(`relink`). What lies outside a restored directory is removed only by who put it there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from esteio.backup._details import DetailCode
from esteio.backup._errors import RestoreRefused
from esteio.backup._manifest import Manifest, Part
from esteio.backup.base._pieces import TABLESPACES
from esteio.system import sync_directory

__all__ = [
    "LINKS",
    "OWN",
    "Tablespace",
    "everything",
    "link",
    "linked",
    "parse_mapping",
    "places",
    "relink",
    "remove_mapped",
    "sync_all",
    "tablespaces",
]

OWN = "tablespaces"
"""The folder of a restored directory for those without a mapping."""
LINKS = "pg_tblspc"
_SYNCING = 16  # threads
_AT_ONCE = 4096
_MAP = "tablespace_map"


@dataclass(frozen=True, slots=True)
class Tablespace:
    """One of a base: its oid, its name, where it was on the server, and the pieces of its tar stream."""

    oid: str
    name: str
    location: str
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Bytes of its content."""
        return sum(part.size for part in self.parts)


def tablespaces(backup: Manifest) -> tuple[Tablespace, ...]:
    """Those of a base."""
    parts = {part.name: part for part in backup.parts}
    return tuple(
        Tablespace(each["oid"], each["name"], each["location"], tuple(parts[name] for name in each["pieces"]))
        for each in backup.details.get(TABLESPACES, ())
    )


def parse_mapping(texts: Sequence[str]) -> dict[str, Path]:
    r"""What `OLD=NEW` say, with `\=` for an equals sign in a name, as pg_basebackup has it; ValueError for anything else."""
    found = {}
    for text in texts:
        old, new = (part.replace("\0", "=") for part in [*text.replace("\\=", "\0").split("="), "", ""][:2])
        if text.replace("\\=", "").count("=") != 1 or not Path(old).is_absolute() or not Path(new).is_absolute():
            msg = f"tablespace mapping {text!r}; allowed: OLD=NEW, two absolute directories"
            raise ValueError(msg)
        found[old] = Path(new)
    return found


def places(backup: Manifest, directory: Path, mapping: Mapping[str, Path]) -> dict[str, Path]:
    """By oid, where each tablespace of `backup` goes; RestoreRefused when `mapping` does not fit. Nothing is made."""
    known = {each.location: each for each in tablespaces(backup)}
    for old, new in mapping.items():
        if old not in known:
            reason = DetailCode.TABLESPACE_UNKNOWN(location=old, backup=backup.id, known=", ".join(known) or "-")
            raise RestoreRefused(str(directory), reason, DetailCode.NAME_TABLESPACE())
        used = new.exists() and (not new.is_dir() or any(new.iterdir()))
        if used or list(mapping.values()).count(new) > 1 or new.is_relative_to(directory):
            reason = DetailCode.TABLESPACE_PLACE_USED(place=str(new))
            raise RestoreRefused(str(directory), reason, DetailCode.NAME_EMPTY_DIRECTORY())
    return {each.oid: mapping.get(each.location, directory / OWN / each.oid) for each in known.values()}


def linked(directory: Path) -> dict[str, Path]:
    """By oid, where the tablespaces of the data directory `directory` lie now."""
    if not (directory / LINKS).is_dir():
        return {}
    found = {path.name: path.readlink() for path in (directory / LINKS).iterdir() if path.is_symlink()}
    return {oid: directory / OWN / oid if (directory / OWN / oid).is_dir() else to for oid, to in found.items()}


def link(directory: Path, placed: Mapping[str, Path]) -> None:
    """Make the links of a restored directory, and the map from which PostgreSQL would make them when it starts."""
    for oid, place in placed.items():
        path = directory / LINKS / oid
        path.unlink(missing_ok=True)
        path.symlink_to(place)
    if placed:
        lines = [f"{oid} {_escaped(str(place))}\n" for oid, place in placed.items()]
        (directory / _MAP).write_text("".join(lines), encoding="utf-8")


def relink(directory: Path, final: Path) -> None:
    """Let the links to what lies in `directory` itself lead to where it lies once that is called `final`."""
    for oid, place in linked(directory).items():
        if place == directory / OWN / oid:
            path = directory / LINKS / oid
            made = path.with_name(f"{oid}.new")
            made.unlink(missing_ok=True)
            made.symlink_to(final / OWN / oid)
            made.replace(path)


def everything(directory: Path) -> Iterator[Path]:
    """A data directory, all that is in it, and its tablespaces elsewhere."""
    for top in (directory, *(place for place in linked(directory).values() if not place.is_relative_to(directory))):
        yield top
        yield from top.rglob("*")


def sync_all(directory: Path) -> None:
    """Make a data directory, and its tablespaces elsewhere, durable.

    Many at a time: a disk then writes once for all of them, where one after another each waits for it. A thousand files that
    PostgreSQL makes durable when it starts took 1.7 s one after another, and 0.1 s by 16 threads.
    """
    paths = iter(everything(directory))
    with ThreadPoolExecutor(_SYNCING, "esteio sync") as pool:
        while some := list(islice(paths, _AT_ONCE)):
            for _ in pool.map(_sync, some):
                pass


def _sync(path: Path) -> None:
    if path.is_symlink():
        return
    if path.is_dir():
        sync_directory(path)
    elif path.is_file():
        handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_mapped(mapping: Mapping[str, Path], made: Sequence[Path]) -> None:
    """Remove what a restore that failed put into the directories of `mapping`; those that it `made`, too."""
    for place in mapping.values():
        for path in list(place.iterdir()) if place.is_dir() else []:
            shutil.rmtree(path, ignore_errors=True)
        if place in made:
            shutil.rmtree(place, ignore_errors=True)


def _escaped(location: str) -> str:
    """As PostgreSQL reads its map: a backslash before a backslash and an end of line."""
    return "".join(f"\\{sign}" if sign in "\\\n\r" else sign for sign in os.fspath(location))
