"""What is known of the documents from the run before, so that one that did not change costs a look and no reading.

Promises: only saves work. Lost, damaged or not writable, everything is read again; what it says wrongly is found out
when the object it names turns out to be missing, and then the document is read. A file that was touched less than two
seconds before it was read is not remembered: it may change again without a sign.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from esteio.backup.documents._scan import Seen
from esteio.system import atomic_write

__all__ = ["Memory"]

_YOUNG = 2.0  # seconds; the coarsest clock of a file system in use
_FORMAT = 1


class Memory:
    """Kept in the hidden file of `directory` below `root`; nowhere when `root` is None."""

    def __init__(self, root: Path | None, directory: Path) -> None:
        name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:8]
        self._path = None if root is None else root / f".documents-{name}.json"
        self._files: dict[str, list[int | str]] = {}
        self.again: set[str] = set()
        """Objects found damaged in a trial: the next run brings them once more."""
        self._load()

    def sha256(self, seen: Seen) -> str | None:
        """That of the content, when the file is the one that was read."""
        known = self._files.get(seen.path)
        return str(known[-1]) if known is not None and known[:-1] == _marks(seen.stat) else None

    def keep(self, documents: Mapping[str, tuple[os.stat_result, str]], now: float) -> None:
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


def _marks(about: os.stat_result) -> list[int]:
    return [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]
