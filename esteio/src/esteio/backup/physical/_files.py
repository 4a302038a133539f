"""A restored data directory compared with PostgreSQL's own list of its files.

Promises: every file that is listed is there with its size and sha256, and nothing that is not listed is; the list's
own checksum is right. The log is not listed: PostgreSQL checks that itself, record by record.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

__all__ = ["problems"]

_UNLISTED = ("pg_wal/", "backup_manifest", "backup_label", "tablespace_map", "postgresql.auto.conf")
_WORST = 20


def problems(directory: Path, files: bytes) -> list[str]:
    """What is wrong with `directory`, by the list `files`; at most 20 sentences."""
    head, mark, rest = files.rpartition(b'"Manifest-Checksum"')
    if not mark or hashlib.sha256(head).hexdigest().encode() not in rest:
        return ["the list of files (backup_manifest) was changed"]
    listed = {_path(entry): entry for entry in json.loads(files)["Files"]}
    found = [wrong for path, entry in listed.items() if (wrong := _wrong(directory / path, path, entry))]
    for path in directory.rglob("*"):
        name = path.relative_to(directory).as_posix()
        if path.is_file() and name not in listed and not name.startswith(_UNLISTED):
            found.append(f"{name}: is not in the list of files")
    return found[:_WORST]


def _wrong(path: Path, name: str, entry: dict[str, Any]) -> str | None:
    if name.startswith("pg_wal/"):
        return None
    try:
        size = path.stat().st_size
    except OSError:
        return f"{name}: is missing"
    if size != entry["Size"]:
        return f"{name}: {size} bytes, listed are {entry['Size']}"
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != entry["Checksum"]:
            return f"{name}: its sha256 is not the listed one"
    return None


def _path(entry: dict[str, Any]) -> str:
    """A file's path; PostgreSQL encodes those that are no UTF-8."""
    if "Path" in entry:
        return str(entry["Path"])
    return bytes.fromhex(entry["Encoded-Path"]).decode(errors="surrogateescape")
