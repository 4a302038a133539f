"""A data directory compared with PostgreSQL's own list of its files.

Promises: every file that is listed is there with its size and sha256, and nothing that is not listed is; the list's
own checksum is right. The log is not listed: PostgreSQL checks that itself, record by record.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

__all__ = ["Comparison", "problems"]

_UNLISTED = ("pg_wal/", "backup_manifest", "backup_label", "tablespace_map", "postgresql.auto.conf")
_WORST = 20


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

    def tell(self, name: str, size: int, sha256: str) -> None:
        """The file `name` has `size` bytes with this sha256 (hexadecimal)."""
        entry = self._listed.get(name)
        self._seen.add(name)
        if entry is None:
            if not name.startswith(_UNLISTED):
                self._wrong.append(f"{name}: is not in the list of files")
        elif size != entry["Size"]:
            self._wrong.append(f"{name}: {size} bytes, listed are {entry['Size']}")
        elif sha256 != entry["Checksum"]:
            self._wrong.append(f"{name}: its sha256 is not the listed one")

    def problems(self) -> list[str]:
        """What is wrong, now that all files were told; at most 20 sentences."""
        if not self._sound:
            return ["the list of files (backup_manifest) was changed"]
        missing = [f"{name}: is missing" for name in self._listed if name not in self._seen]
        return [*missing, *self._wrong][:_WORST]


def problems(directory: Path, files: bytes) -> list[str]:
    """What is wrong with `directory`, by the list `files`; at most 20 sentences."""
    compared = Comparison(files)
    for path in directory.rglob("*"):
        name = path.relative_to(directory).as_posix()
        if compared.wants(name) and path.is_file():
            with path.open("rb") as file:
                compared.tell(name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
    return compared.problems()


def _path(entry: dict[str, Any]) -> str:
    """A file's path; PostgreSQL encodes those that are no UTF-8."""
    if "Path" in entry:
        return str(entry["Path"])
    return bytes.fromhex(entry["Encoded-Path"]).decode(errors="surrogateescape")
