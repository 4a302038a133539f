"""Documents brought back into a new directory.

Promises: content, mode and time of last change are as they were; content is compared with its sha256, and one that a
store has damaged is taken from the next store. When it returns all of it is on the disk. As root, everything belongs to
whom `like` belongs to, so that the service can read what it could read before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from esteio.backup._errors import BackupDamaged
from esteio.backup._progress import Progress
from esteio.backup.documents._amount import Amount
from esteio.backup.documents._document import Document
from esteio.backup.documents._listed import Listed
from esteio.backup.documents._parallel import each
from esteio.backup.store import AllStoresFailed, Store, StoreError, Stores

__all__ = ["fetch"]

Wanted = tuple[Document, Listed]


def fetch(wanted: Sequence[Wanted], stores: Stores, directory: Path, like: Path, progress: Progress) -> None:
    """Write `wanted` below `directory`, which is made; BackupDamaged names a document that no store has whole."""
    directory.mkdir(mode=0o700)
    files = [(document, of) for document, of in wanted if document.sha256 is not None]
    folders = [document for document, _ in wanted if document.sha256 is None]
    for document in folders:
        (directory / document.path).mkdir(parents=True, exist_ok=True)
    amount = Amount(progress, sum(document.size for document, _ in files))

    def one(item: Wanted) -> None:
        document, of = item
        target = directory / document.path
        target.parent.mkdir(parents=True, exist_ok=True)
        _written(document, of, stores.stores, target)
        amount.add(document.size)

    for _ in each(one, files, amount.show):
        pass
    for document in reversed(folders):  # what is in it comes before, it may not be writable afterwards
        (directory / document.path).chmod(document.mode)
    _hand_over(directory, like)
    _settle(directory)


def _written(document: Document, of: Listed, stores: Sequence[Store], target: Path) -> None:
    failures: dict[str, Exception] = {}
    for store in stores:
        try:
            with target.open("wb") as file:
                of.read(document, store, file)
        except (BackupDamaged, StoreError) as error:
            failures[store.name] = error
            continue
        target.chmod(document.mode)
        os.utime(target, ns=(document.mtime_ns, document.mtime_ns))
        return
    damage = next((error for error in failures.values() if isinstance(error, BackupDamaged)), None)
    raise damage or AllStoresFailed(of.object(document), failures)


def _hand_over(directory: Path, like: Path) -> None:
    directory.chmod(like.stat().st_mode & 0o7777 if like.is_dir() else 0o700)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        owner = (like if like.exists() else directory.parent).stat()
        for path in (directory, *directory.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _settle(directory: Path) -> None:
    if hasattr(os, "sync"):
        os.sync()  # once, where one for each of many small files would take minutes
        return
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("r+b") as file:
                os.fsync(file.fileno())
