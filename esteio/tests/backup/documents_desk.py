"""Backups of documents alone, without a database: what the tests of documents work at."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from esteio.backup import Manifest, Verification
from esteio.backup._catalogue import Catalogue
from esteio.backup._files import BackupWriter
from esteio.backup._manifest import backup_id
from esteio.backup._progress import Progress, silent
from esteio.backup.documents import Documents
from esteio.backup.packing import Decryption, Packing
from esteio.backup.store import Store, Stores, open_store
from esteio.clock import SystemClock

NOBODY = Verification("x", "2026-01-01T00:00:00+00:00", 0.0, 0.0, "18.0", 0, ())


class Later(SystemClock):
    """The machine's clock, some time from now."""

    seconds = 0.0

    def time(self) -> float:
        return super().time() + self.seconds


class Desk:
    """Documents in `home / "documentos"`, or in the store `origin`; backups of them in `home / "cópias"`, or in `stores`."""

    def __init__(
        self,
        home: Path,
        *stores: Store,
        packing: Callable[[], Packing] = lambda: Packing(level=1),
        key: Callable[[bytes | None], Decryption | None] = lambda _key_file: None,
        prefix: str = "backup",
        origin: Store | None = None,
    ) -> None:
        self.home, self.origin = home, origin
        self.documents_dir = home / "documentos"
        self.documents_dir.mkdir(exist_ok=True)
        self.root = home / "cópias"
        self.stores = Stores(stores or (open_store(str(self.root)),))
        self.packing, self.key, self.prefix = packing, key, prefix
        self.clock = Later()
        self.clock.seconds = 10.0  # what was written a moment ago is old enough to be remembered

    def write(self, path: str | bytes, content: bytes | str = b"conte\xc3\xbado") -> Path:
        made = self.documents_dir / os.fsdecode(path)
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_bytes(content.encode() if isinstance(content, str) else content)
        return made

    @property
    def documents(self) -> Documents:
        """As a new process has it."""
        catalogue = Catalogue(self.stores, self.prefix)
        memory = self.root if self.root.is_dir() else None
        return Documents(
            self.origin or self.documents_dir, self.stores, catalogue, self.prefix, self.key, memory, clock=self.clock
        )

    def run(self, progress: Progress = silent) -> Manifest:
        """A backup that has nothing but documents."""
        entries = Catalogue(self.stores, self.prefix).entries() if self.root.is_dir() else []
        name = backup_id(self.prefix, self.clock.time(), [entry.id for entry in entries])
        self.draft = BackupWriter(self.stores, name, self.packing())
        self.draft.keep("globals.sql", "globals", b"-- so that there is a folder")
        began = f"{name[-15:-11]}-{name[-11:-9]}-{name[-9:-7]}T{name[-6:-4]}:{name[-4:-2]}:{name[-2:]}+00:00"
        bare = Manifest(
            name, "dump", began, 0.0, "18.0", "18.0", tuple(self.draft.parts), "zstd", self.draft.encryption
        )
        try:
            made = self.documents.take(self.draft, bare, entries, progress)
            self.draft.finish(made)
        except BaseException:
            self.draft.discard()
            raise
        return made

    def verified(self, manifest: Manifest, sample: int | None = None) -> Verification:
        return self.documents.verify(manifest, NOBODY, silent, sample)

    def objects(self) -> dict[str, tuple[int, int]]:
        """Each object in the directory, with what shows that it was written anew."""
        found = (path for path in (self.root / "documents").rglob("*") if path.is_file() and "keys" not in path.parts)
        return {str(path.relative_to(self.root)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}

    def back(self, manifest: Manifest, name: str = "de volta") -> Path:
        """The documents of a backup in a new directory."""
        with self.documents.of(manifest, into=self.home / name) as beside:
            beside.fetch(silent)
            beside.swap()
            beside.settle()
        return self.home / name


def tree(root: Path) -> dict[str, tuple]:
    """Everything below `root`: mode, and content and time of files."""
    found: dict[str, tuple] = {}
    for path in root.rglob("*"):
        about = path.lstat()
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            continue
        inside = () if path.is_dir() else (about.st_mtime_ns, path.read_bytes())
        found[str(path.relative_to(root))] = (about.st_mode, *inside)
    return found
