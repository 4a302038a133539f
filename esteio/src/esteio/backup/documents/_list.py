"""A backup's list of documents: its lines, the list of one backup, and the list as of a moment.

Promises: `lines` and `parse` are each other's reverse for every name a file system allows - accents, newlines,
bytes that are no UTF-8 (as the surrogates of `os.fsdecode`, so that Python's json alone reads the list). A path that
could leave the directory it is restored into is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime

from esteio.backup._details import DetailCode, detail_of, from_plain, plain
from esteio.backup._errors import BackupDamaged
from esteio.backup._files import BackupReader
from esteio.backup._manifest import Manifest, Part
from esteio.backup.documents._objects import Key
from esteio.backup.packing import Decryption, PackUnreadable, Writable, WrongKey, unpack
from esteio.backup.store import ObjectMissing, Store

__all__ = [
    "DETAILS",
    "KEY",
    "LIST",
    "NAMES",
    "Document",
    "Listed",
    "around",
    "has_documents",
    "joined",
    "lines",
    "listed",
    "names",
    "parse",
]


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
        given = {name: plain(value) for name, usual in _DEFAULTS.items() if (value := getattr(document, name)) != usual}
        yield json.dumps(given).encode() + b"\n"


def parse(data: bytes) -> tuple[Document, ...]:
    """Read what `lines` wrote; ValueError when it is anything else."""
    found = []
    for line in data.splitlines():
        try:
            given = json.loads(line)
            if "problem" in given:
                given["problem"] = from_plain(given["problem"])
            document = Document(**given)
        except (TypeError, KeyError) as error:
            raise ValueError(DetailCode.NO_DOCUMENT_LINE(error=str(error))) from error
        parts = document.path.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise ValueError(DetailCode.PATH_LEAVES(path=document.path))
        found.append(document)
    return tuple(found)


LIST = "documents"
"""The role of the list of documents."""
NAMES = "document names"
"""The role of the list of objects, which is not encrypted: who prunes backups need not be able to open them."""
KEY = "document key"
"""The role of the key file for the objects; only with a passphrase."""
DETAILS = "documents"
"""Under which name the manifest's details say where the objects are, and how many documents there are."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The documents of backup `manifest`, and what opens them."""

    manifest: Manifest
    documents: tuple[Document, ...]
    opens: Decryption | None = field(repr=False)

    @property
    def files(self) -> tuple[Document, ...]:
        """Those that have content."""
        return tuple(document for document in self.documents if document.sha256 is not None)

    def object(self, document: Document) -> str:
        """The name of the object with the content of `document`."""
        about = self.manifest.details[DETAILS]
        assert document.sha256 is not None
        return f"{about['folder']}/{document.sha256[:2]}/{document.sha256}{about['suffix']}"

    def read(self, document: Document, store: Store, sink: Writable) -> None:
        """Write the content of `document`, as `store` has it, to `sink`; BackupDamaged names it when that is another."""
        name = self.object(document)
        digest = hashlib.sha256()

        class Both:
            def write(self, data: bytes, /) -> int:
                digest.update(data)
                sink.write(data)
                return len(data)

        try:
            with store.get(name) as source:
                unpack(source, Both(), self.opens if name.endswith(".age") else None)
        except ObjectMissing as error:
            raise self._damaged(document, DetailCode.MISSING_IN_STORE(store=store.name)) from error
        except PackUnreadable as error:
            raise self._damaged(document, DetailCode.IN_STORE(reason=error.reason, store=store.name)) from error
        except WrongKey as error:
            if self.opens is None:
                raise
            raise self._damaged(document, DetailCode.IN_STORE(reason=error.reason, store=store.name)) from error
        if digest.hexdigest() != document.sha256:
            raise self._damaged(document, DetailCode.IN_STORE(reason=DetailCode.DOCUMENT_CHANGED(), store=store.name))

    def _damaged(self, document: Document, problem: str) -> BackupDamaged:
        return BackupDamaged(
            self.manifest.id, self.object(document), DetailCode.OF_DOCUMENT(path=document.path, reason=problem)
        )


def has_documents(manifest: Manifest) -> bool:
    """Whether a backup has documents, be it none at all in a directory that was there."""
    return _part(manifest, LIST) is not None


def listed(folder: BackupReader, key: Key) -> Listed | None:
    """Read the list; BackupDamaged when it was changed, WrongKey when it cannot be opened."""
    part = _part(folder.manifest, LIST)
    if part is None:
        return None
    try:
        documents = parse(folder.content(part))
    except ValueError as error:
        raise BackupDamaged(folder.manifest.id, part.name, detail_of(error)) from error
    opens = None
    if folder.manifest.encryption:
        key_part = _part(folder.manifest, KEY)
        opens = key(folder.kept(key_part) if key_part else None)
    return Listed(folder.manifest, documents, opens)


def names(folder: BackupReader) -> set[str]:
    """The objects a backup needs, read without any key; BackupDamaged when the list of them was changed."""
    part = _part(folder.manifest, NAMES)
    return set() if part is None else set(folder.content(part).decode().splitlines())


def _part(manifest: Manifest, role: str) -> Part | None:
    return next((part for part in manifest.parts if part.role == role), None)


def around(backups: Sequence[Manifest], moment: datetime | None) -> list[Manifest]:
    """The newest of `backups` begun until `moment` (None: the newest of all) and the first after it, if they are there.

    Those without documents are passed over. ValueError for a `moment` without a timezone.
    """
    if moment is not None and moment.tzinfo is None:
        msg = f"the moment {moment} has no timezone; write 2026-03-01 14:30:00-03:00, or +00:00 for UTC"
        raise ValueError(msg)
    with_documents = [each for each in backups if has_documents(each)]
    ordered = sorted(with_documents, key=lambda each: (datetime.fromisoformat(each.began), each.id))
    if moment is None:
        return ordered[-1:]
    before = [each for each in ordered if datetime.fromisoformat(each.began) <= moment]
    return before[-1:] + ordered[len(before) : len(before) + 1]


def joined(lists: Sequence[Listed], moment: datetime | None) -> list[tuple[Document, Listed]]:
    """Every document of one or two lists, the earlier first, once for each path.

    Where both have one, it is the later's if that was last written until `moment`, else the earlier's; a directory wins
    over a file of its name, so that nothing below it is lost.
    """
    chosen: dict[str, tuple[Document, Listed]] = {}
    limit = moment.timestamp() * 1e9 if moment else 0.0
    for each in lists:
        for document in each.documents:
            if document.problem is not None:
                continue
            known = chosen.get(document.path)
            if known is None or _replaces(document, known[0], limit):
                chosen[document.path] = document, each
    return [chosen[path] for path in sorted(chosen)]


def _replaces(later: Document, earlier: Document, limit: float) -> bool:
    if later.sha256 is None or earlier.sha256 is None:
        return later.sha256 is None
    return later.mtime_ns <= limit
