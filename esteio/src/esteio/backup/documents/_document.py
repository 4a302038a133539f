"""One line of a backup's list of documents.

Promises: pure; `lines` and `parse` are each other's reverse for every name a file system allows - accents, newlines,
bytes that are no UTF-8 (as the surrogates of `os.fsdecode`, so that Python's json alone reads the list). A path that
could leave the directory it is restored into is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

__all__ = ["Document", "lines", "parse"]


@dataclass(frozen=True, slots=True)
class Document:
    """A file, or a directory when it has neither `sha256` nor `problem`. `path` is relative, with / between its parts."""

    path: str
    mode: int = 0
    """The permission bits alone."""
    size: int = 0
    """Bytes."""
    mtime_ns: int = 0
    """Nanoseconds since the epoch."""
    sha256: str | None = None
    """Of the content; it names the object."""
    new: bool = False
    """Whether this backup brought its content."""
    changed: bool = False
    """Whether it was written to each time it was read: it is as it was at one of these moments."""
    problem: str | None = None
    """Why its content is not in the backup."""


_DEFAULTS = {field.name: field.default for field in fields(Document)}


def lines(documents: Iterable[Document]) -> Iterator[bytes]:
    """The list as JSON lines, without what is as usual."""
    for document in documents:
        given = {name: value for name, usual in _DEFAULTS.items() if (value := getattr(document, name)) != usual}
        yield json.dumps(given).encode() + b"\n"


def parse(data: bytes) -> tuple[Document, ...]:
    """Read what `lines` wrote; ValueError when it is anything else."""
    found = []
    for line in data.splitlines():
        try:
            document = Document(**json.loads(line))
        except TypeError as error:
            msg = f"a line of the list is no document ({error})"
            raise ValueError(msg) from error
        parts = document.path.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            msg = f"path {document.path!r} could leave its directory"
            raise ValueError(msg)
        found.append(document)
    return tuple(found)
