"""Documents brought back into a new directory, and put in the place of the present ones.

Promises: content, mode and time of last change are as they were; content is compared with its sha256, and one that a
store has damaged is taken from the next store. As root, everything belongs to whom `like` belongs to, so that the
service can read what it could read before.

The present directory is untouched until the new one beside it is complete and compared; then it is renamed,
and the new one takes its name. Until `settle` is called an error or an interrupt puts it back, and removes the new one:
who changes the database calls `swap` just before, and `settle` once its own change cannot be undone. Killed outright
between the two, the present directory lies beside under its dated name. Space, names and rights are checked before
anything is written.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupDamaged, RestoreRefused
from esteio.backup._progress import Progress
from esteio.backup._session import undisturbed
from esteio.backup.documents._list import Document, Listed
from esteio.backup.documents._objects import Amount, each
from esteio.backup.store import AllStoresFailed, Store, StoreError, Stores
from esteio.system import sync_directory

__all__ = ["DocumentsRestore", "Returned", "Untouched", "fetch"]

Wanted = tuple[Document, Listed]

_WINDOWS = os.name == "nt"
_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|(COM|LPT)[0-9\u00b9\u00b2\u00b3]) *(\..*)?", re.IGNORECASE | re.DOTALL)
_ODD = re.compile(r'[<>:"\\|?*\x00-\x1f]|[. ]$')


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
    if hasattr(os, "sync"):
        os.sync()  # once, where one for each of many small files would take minutes


def _written(document: Document, of: Listed, stores: Sequence[Store], target: Path) -> None:
    failures: dict[str, Exception] = {}
    for store in stores:
        try:
            with target.open("wb") as file:
                of.read(document, store, file)
                if not hasattr(os, "sync"):  # now: it may not be opened for writing once it has its mode
                    file.flush()
                    os.fsync(file.fileno())
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


def possible_on_windows(path: str) -> bool:
    r"""Whether a file on Windows can have the relative `path`, and only there: `..\x` would leave its directory.

    Names of devices, a dot or a blank at the end, and some signs are not possible (Microsoft, "Naming Files, Paths, and
    Namespaces").
    """
    return not any(_RESERVED.fullmatch(part) or _ODD.search(part) for part in path.split("/"))


_SPARE = 1.1
_BLOCK = 4096  # bytes a file takes at least


@dataclass(frozen=True, slots=True)
class Returned:
    """`files` documents of `size` bytes are in `directory`, or the store; what was there before, if anything, is `kept`."""

    directory: Path | str
    files: int
    size: int
    kept: Path | None


class Untouched:
    """Documents that are left as they are, beside a database that is restored."""

    def fetch(self, progress: Progress) -> None:
        """Bring them beside, and compare them; BackupDamaged, or what the stores raise."""

    def swap(self) -> None:
        """Let them take their place; OSError when the system does not let them."""

    def settle(self) -> None:
        """From now on nothing is put back."""

    @property
    def returned(self) -> Returned | None:
        """What was done; None when nothing was."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Undo what was not settled."""


class DocumentsRestore(Untouched):
    """Brings `wanted` to `directory`: in the place of what is there (`replace`), or where nothing is.

    A block around it: left with an error, everything is as before.
    """

    def __init__(self, wanted: Sequence[Wanted], stores: Stores, directory: Path, now: float, *, replace: bool) -> None:
        self._wanted = wanted
        self._stores = stores
        self._directory = directory.resolve()
        self._replace = replace
        self._stamp = f"{datetime.fromtimestamp(now, UTC):%Y%m%d_%H%M%S}"
        self._new = self._beside("restoring")
        self._kept: Path | None = None
        self._swapped = False
        self._settled = False

    def check(self) -> None:
        """RestoreRefused when it cannot be done; nothing was changed."""
        name, parent = str(self._directory), self._directory.parent
        if not self._replace and self._directory.exists():
            raise RestoreRefused(name, DetailCode.EXISTS(), DetailCode.NAME_NEW_DIRECTORY())
        if self._replace and self._directory.is_mount():
            reason = DetailCode.DOCUMENTS_MOUNTED()
            raise RestoreRefused(name, reason, DetailCode.DOCUMENTS_BELOW_MOUNT())
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            reason = DetailCode.NOT_WRITABLE(directory=str(parent))
            raise RestoreRefused(name, reason, DetailCode.MAKE_DOCUMENTS_DIRECTORY())
        if odd := [
            document.path for document, _ in self._wanted if _WINDOWS and not possible_on_windows(document.path)
        ]:
            reason = DetailCode.NAMES_IMPOSSIBLE(count=len(odd), path=odd[0])
            raise RestoreRefused(name, reason, DetailCode.RESTORE_ELSEWHERE())
        needed = int(sum(document.size + _BLOCK for document, _ in self._wanted) * _SPARE)
        free = shutil.disk_usage(parent).free
        if free < needed:
            reason = DetailCode.DOCUMENTS_NEED_SPACE(needed=needed >> 20, free=free >> 20)
            raise RestoreRefused(name, reason, DetailCode.MAKE_ROOM_DOCUMENTS())

    def fetch(self, progress: Progress) -> None:
        """Bring them beside."""
        self.check()
        fetch(self._wanted, self._stores, self._new, self._directory, progress)

    def swap(self) -> None:
        """Let them take their place; an interrupt meanwhile is raised afterwards."""
        undisturbed(self._swap)

    def settle(self) -> None:
        """Keep them, whatever comes."""
        self._settled = True

    @property
    def returned(self) -> Returned:
        """What was done."""
        sizes = [document.size for document, _ in self._wanted if document.sha256 is not None]
        return Returned(self._directory, len(sizes), sum(sizes), self._kept)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if not self._settled:
            undisturbed(self._undo)

    def _swap(self) -> None:
        if self._directory.exists():
            kept = self._beside("before")
            self._directory.rename(kept)
            self._kept = kept
        try:
            self._new.rename(self._directory)
        except OSError:
            self._put_back()
            raise
        self._swapped = True
        sync_directory(self._directory.parent)

    def _undo(self) -> None:
        if self._swapped:
            self._directory.rename(self._new)
            self._swapped = False
            self._put_back()
        shutil.rmtree(self._new, ignore_errors=True)

    def _put_back(self) -> None:
        if self._kept is not None:
            self._kept.rename(self._directory)
            self._kept = None

    def _beside(self, word: str) -> Path:
        stem = self._directory.with_name(f"{self._directory.name}.{word}-{self._stamp}")
        path, number = stem, 1
        while path.exists():
            number += 1
            path = stem.with_name(f"{stem.name}_{number:02d}")
        return path
