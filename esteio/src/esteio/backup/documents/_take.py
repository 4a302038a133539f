"""The documents of one backup: looked at, those that are new brought to the stores, all of them listed.

Promises: a document that did not change since the last run costs a look, one whose content a store has costs it
nothing. What is read is what its name says, to the bit. A file that is written to while it is read is read once more;
if it still changes it is kept as it was at one moment, and marked. One that vanished is left out: the application
removed it. One that cannot be read stays in the list with the reason, and the backup fails its verification: somebody
has to know, but the database should not go without a backup because of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from esteio.backup._details import DetailCode
from esteio.backup._progress import Progress
from esteio.backup.documents._list import Document
from esteio.backup.documents._objects import Amount, ObjectUploader, Place, each
from esteio.backup.documents._source import SMALL, About, Scan, Seen, Source
from esteio.system import atomic_write

__all__ = ["DocumentsBackup", "Memory", "Taken"]


_YOUNG = 2.0  # seconds; the coarsest clock of a file system in use
_FORMAT = 1
Marks = tuple[About, str]


class Memory:
    """Kept in the hidden file of the `source` below `root`; nowhere when `root` is None."""

    def __init__(self, root: Path | None, source: Source) -> None:
        name = hashlib.sha256(os.fsencode(source.name)).hexdigest()[:8]
        self._path = None if root is None else root / f".documents-{name}.json"
        self._files: dict[str, list[int | str]] = {}
        self.again: set[str] = set()
        """Objects found damaged in a verification: the next run brings them once more."""
        self._load()

    def sha256(self, seen: Seen) -> str | None:
        """That of the content, when the file is the one that was read."""
        known = self._files.get(seen.path)
        return str(known[-1]) if known is not None and known[:-1] == _marks(seen.about) else None

    def keep(self, documents: Mapping[str, Marks], now: float) -> None:
        """Remember these and nothing else; `now` is in seconds since the epoch."""
        young = (now - _YOUNG) * 1e9
        self._files = {
            path: [*_marks(about), digest]
            for path, (about, digest) in documents.items()
            if max(about.st_mtime_ns, about.st_ctime_ns) < young
        }
        self._save()

    def damaged(self, objects: Iterable[str]) -> None:
        """Remember that these have to be brought again."""
        self.again |= set(objects)
        self._save()

    def _load(self) -> None:
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            given = json.loads(self._path.read_bytes()) if self._path else {}
            if given["format"] == _FORMAT:
                self._files, self.again = dict(given["files"]), set(given["again"])

    def _save(self) -> None:
        if self._path is None:
            return
        text = json.dumps({"format": _FORMAT, "files": self._files, "again": sorted(self.again)})
        with suppress(OSError):
            atomic_write(self._path, text.encode())


def _marks(about: About) -> list[int]:
    return [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]


_TRIES = 2


@dataclass(frozen=True, slots=True)
class Taken:
    """All documents in the order of their paths, and how many there were that are not among them."""

    documents: tuple[Document, ...]
    vanished: int
    special: int


class _Changed(Exception):
    """The file is not what it was a moment ago."""


class DocumentsBackup:
    """Takes what was seen in `source`."""

    def __init__(self, source: Source, place: Place, sending: ObjectUploader, memory: Memory) -> None:
        self._source = source
        self._place = place
        self._sending = sending
        self._memory = memory
        self._mutex = threading.Lock()
        self._large = threading.Lock()  # one at a time: each may need its parts' worth of memory in every store
        self._marks: dict[str, Marks] = {}

    def run(self, found: Scan, now: float, progress: Progress) -> Taken:
        """Bring what is new; AllStoresFailed when no store is left to bring it to. `now` is seconds since the epoch."""
        amount = Amount(progress, found.size)
        seen = {each.path: each for each in found.files}
        taken = {document.path: document for each in found.files if (document := self._known(each, amount))}
        taken |= self._taken([each for each in found.files if each.path not in taken], amount)
        # What another file's upload should have brought, and did not.
        lost = [path for path, document in taken.items() if document.sha256 and self._absent(document.sha256)]
        for path in lost:
            del taken[path]
        taken |= self._taken([seen[path] for path in lost], amount)
        self._memory.again.clear()
        self._memory.keep(self._marks, now)
        directories = [Document(each.path, stat.S_IMODE(each.about.st_mode)) for each in found.directories]
        unreadable = [Document(path, problem=reason) for path, reason in found.unreadable.items()]
        every = [*directories, *unreadable, *taken.values()]
        vanished = len(seen) - len(taken)
        return Taken(tuple(sorted(every, key=lambda document: document.path)), vanished, found.special)

    def _taken(self, files: Iterable[Seen], amount: Amount) -> dict[str, Document]:
        def one(seen: Seen) -> Document | None:
            return self._one(seen, amount)

        return {document.path: document for document in each(one, files, amount.show) if document is not None}

    def _absent(self, sha256: str) -> bool:
        return bool(self._sending.lacking(self._place.object(sha256)))

    def _known(self, seen: Seen, amount: Amount) -> Document | None:
        """What did not change and is everywhere."""
        known = self._memory.sha256(seen)
        if known is None or self._absent(known):
            return None
        size = seen.about.st_size
        amount.add(size)
        return self._listed(seen.path, seen.about, known, size=size, new=False)

    def _one(self, seen: Seen, amount: Amount) -> Document | None:
        try:
            return self._read(seen, amount)
        except FileNotFoundError:
            return None
        except _Changed:
            return Document(seen.path, problem=DetailCode.DOCUMENT_CHANGES())
        except OSError as error:
            return Document(seen.path, problem=error.strerror or str(error))

    def _read(self, seen: Seen, amount: Amount) -> Document:
        for attempt in range(1, _TRIES + 1):
            with self._source.open(seen.path) as (file, about):
                before = about()
                small = before.st_size <= SMALL
                try:
                    digest, size, new = self._bring_small(file, amount) if small else self._bring_large(file, amount)
                except _Changed:
                    if attempt == _TRIES:
                        raise
                    continue
                after = about()
            changed = _when(before) != _when(after) or size != after.st_size
            if not changed or attempt == _TRIES:
                break
        return self._listed(seen.path, after, digest, size=size, new=new, changed=changed)

    def _bring_small(self, file: IO[bytes], amount: Amount) -> tuple[str, int, bool]:
        content = file.read(SMALL + 1)
        if len(content) > SMALL:  # it grew
            raise _Changed
        digest = hashlib.sha256(content).hexdigest()
        new = self._sending.small(self._place.object(digest), content, self._place.packing)
        amount.add(len(content))
        return digest, len(content), new

    def _bring_large(self, file: IO[bytes], amount: Amount) -> tuple[str, int, bool]:
        whole = hashlib.sha256()
        while data := file.read(SMALL):
            whole.update(data)
        digest, size = whole.hexdigest(), file.tell()
        file.seek(0)
        source = _Expected(file, digest, amount)
        with self._large:
            new = self._sending.large(self._place.object(digest), source, self._place.packing)
        if not new:
            amount.add(size)
        return digest, size, new

    def _listed(self, path: str, about: About, digest: str, *, size: int, new: bool, changed: bool = False) -> Document:
        if not changed:
            with self._mutex:
                self._marks[path] = about, digest
        mode = stat.S_IMODE(about.st_mode)
        return Document(path, mode, size, about.st_mtime_ns, digest, new=new, changed=changed)


def _when(about: About) -> tuple[int, int]:
    return about.st_size, about.st_mtime_ns


class _Expected:
    """A file that has to have the content that was read before; _Changed at its end when it has not."""

    def __init__(self, file: IO[bytes], sha256: str, amount: Amount) -> None:
        self._file = file
        self._sha256 = sha256
        self._hash = hashlib.sha256()
        self._amount = amount

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        if data:
            self._hash.update(data)
            self._amount.add(len(data))
        elif self._hash.hexdigest() != self._sha256:
            raise _Changed
        return data
