"""Every store's copy of a backup, read to the last byte, and brought to the stores that lack it.

Promises: `read_everywhere` changes nothing. `sync_backup` writes only what has the sha256 of the manifest while it is copied:
a damaged file is never spread, and what lies in a store stays there until the right one is whole. The manifest is
brought last, to stores that then have all the rest, so no store ever shows half a backup as one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from esteio.backup._catalogue import Entry, Survey, read_small
from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupError, ManifestError
from esteio.backup._files import MANIFEST, MARKS, VERIFICATION
from esteio.backup._manifest import Manifest
from esteio.backup._problem import WHOLE, CopyDefect, Problem, ProblemCode, why
from esteio.backup._progress import Progress, silent
from esteio.backup._verification import Marks, Verification
from esteio.backup.store import ObjectMissing, Store, StoreError, Stores

__all__ = ["Copies", "SyncResult", "known_defects", "read_everywhere", "sync_backup"]

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Copies:
    """What was found when every file of `backup` was read in every store; `whole` names the stores without a defect."""

    backup: str
    whole: tuple[str, ...]
    defects: tuple[CopyDefect, ...]

    @property
    def ok(self) -> bool:
        """Whether all stores have it as it was written."""
        return not self.defects

    def with_defects(self, defects: Sequence[CopyDefect]) -> Copies:
        """With those of the log."""
        defective = {defect.store for defect in defects}
        whole = tuple(store for store in self.whole if store not in defective)
        return Copies(self.backup, whole, (*self.defects, *defects))


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What `bring` did: `files` pairs of a file and the store it was brought to; `left` is what is still wrong."""

    backup: str
    files: tuple[tuple[str, str], ...]
    left: tuple[CopyDefect, ...]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file as it was written."""

    name: str
    size: int
    sha256: str


def known_defects(entry: Entry, survey: Survey) -> tuple[CopyDefect, ...]:
    """What the lists of the stores say already, and which store said nothing."""
    unknown = [
        CopyDefect(name, WHOLE, _unreadable(entry.id, name, MANIFEST, error)) for name, error in survey.silent.items()
    ]
    return (*entry.defects, *unknown)


def read_everywhere(stores: Stores, entry: Entry, survey: Survey, progress: Progress = silent) -> Copies:
    """Read every file of `entry` in every store and compare it with the manifest; ManifestError without a sound one."""
    wanted = _wanted(stores, entry)
    total = sum(file.size for file in wanted) * len(stores.stores)
    without = [defect for defect in known_defects(entry, survey) if defect.file == WHOLE]
    left_out = {defect.store for defect in without}
    defects: list[CopyDefect] = []
    done, right = 0, {file.name: list[str]() for file in wanted}
    for file in wanted:
        for store in stores.stores:
            if store.name not in left_out:
                problem = _difference(store, entry.id, file)
                if problem is None:
                    right[file.name].append(store.name)
                else:
                    defects.append(CopyDefect(store.name, file.name, problem))
            done += file.size
            progress("check", done, total, "bytes")
    everything = tuple(store for store in right[MANIFEST] if all(store in right[file.name] for file in wanted))
    found = [replace(defect, right=tuple(right.get(defect.file, ()))) for defect in defects]
    found += [replace(defect, right=everything) for defect in without]
    defective = {defect.store for defect in found}
    return Copies(entry.id, tuple(each.name for each in stores.stores if each.name not in defective), tuple(found))


def sync_backup(stores: Stores, entry: Entry, defects: Sequence[CopyDefect], progress: Progress = silent) -> SyncResult:
    """Copy each file with a defect from a store that has it right; ManifestError without a sound manifest."""
    wanted = {file.name: file for file in _wanted(stores, entry)}
    ordered = sorted(wanted, key=lambda name: (name == MANIFEST, name in (VERIFICATION, MARKS)))
    lacking = {name: _lacking(name, defects) for name in ordered}
    total = sum(wanted[name].size * len(lacking[name]) for name in ordered)
    brought: list[tuple[str, str]] = []
    left = [defect for defect in defects if defect.problem.code is ProblemCode.COPY_UNREADABLE]
    done = 0
    for name in ordered:
        broken = {defect.store for defect in left}
        targets = [store for store in stores.stores if store.name in lacking[name] and store.name not in broken]
        for target in targets:
            defect = _copied(stores, entry.id, wanted[name], lacking[name], target)
            if defect is None:
                brought.append((name, target.name))
            else:
                left.append(defect)
            done += wanted[name].size
            progress("bring", done, total, "bytes")
    return SyncResult(entry.id, tuple(brought), tuple(left))


def _copied(stores: Stores, backup: str, file: _Wanted, lacking: set[str], target: Store) -> CopyDefect | None:
    """Bring `file` to `target` from the first store that has it right; what is wrong with it there otherwise."""
    reasons: list[str] = []
    for origin in stores.stores:
        if origin.name not in lacking:
            try:
                if _transferred(origin, target, f"{backup}/{file.name}", file):
                    return None
                reasons.append(DetailCode.NOT_AS_WRITTEN(file=file.name, store=origin.name))
            except StoreError as error:
                reasons += why(error)
    reasons = reasons or [DetailCode.NO_RIGHT_COPY()]
    problem = Problem.of(
        ProblemCode.COPY_NOT_MADE, backup=f"{backup}/{file.name}", store=target.name, reason=tuple(reasons)
    )
    return CopyDefect(target.name, file.name, problem)


def _transferred(origin: Store, target: Store, key: str, file: _Wanted) -> bool:
    """Copy while counting and hashing; committed only when it is what was written."""
    digest, size = hashlib.sha256(), 0
    with origin.get(key) as source, target.open(key) as upload:
        while data := source.read(_CHUNK):
            digest.update(data)
            size += len(data)
            upload.write(data)
        if (size, digest.hexdigest()) != (file.size, file.sha256):
            return False
        upload.commit()
    return True


def _difference(store: Store, backup: str, file: _Wanted) -> Problem | None:
    """What is wrong with a file in a store; None when nothing is."""
    about = {"backup": backup, "store": store.name, "file": file.name}
    digest, size = hashlib.sha256(), 0
    try:
        with store.get(f"{backup}/{file.name}") as source:
            while data := source.read(_CHUNK):
                digest.update(data)
                size += len(data)
    except ObjectMissing:
        return Problem.of(ProblemCode.COPY_LACKS_FILE, **about)
    except StoreError as error:
        return _unreadable(backup, store.name, file.name, error)
    if size != file.size:
        return Problem.of(ProblemCode.COPY_SIZE, **about, found=size, written=file.size)
    return None if digest.hexdigest() == file.sha256 else Problem.of(ProblemCode.COPY_CHANGED, **about)


def _wanted(stores: Stores, entry: Entry) -> list[_Wanted]:
    """Every file of a backup; manifest, verification and marks are right where they fit their own seal."""
    if entry.manifest is None:
        raise ManifestError(entry.id, _why_none(entry), DetailCode.USE_OTHER_BACKUP())
    files = [_Wanted(part.name, part.stored, part.sha256) for part in entry.manifest.parts]
    for name in (MANIFEST, VERIFICATION, MARKS):
        content = _sound(stores, entry, name)
        if content is not None:
            files.append(_Wanted(name, len(content), hashlib.sha256(content).hexdigest()))
    return files


def _why_none(entry: Entry) -> str:
    return entry.problem.reason if entry.problem else DetailCode.NO_MANIFEST()


def _sound(stores: Stores, entry: Entry, name: str) -> bytes | None:
    for store in stores.stores:
        try:
            content = read_small(store, f"{entry.id}/{name}")
            read = _parsed(name, content, entry.id)
        except (StoreError, BackupError, ValueError):
            continue
        if read in (entry.manifest, entry.verification, entry.marks):
            return content
    return None


def _parsed(name: str, content: bytes, backup: str) -> Manifest | Verification | Marks:
    if name == MANIFEST:
        return Manifest.from_json(content, backup=backup)
    return Verification.from_json(content) if name == VERIFICATION else Marks.from_json(content, backup=backup)


def _lacking(file: str, defects: Sequence[CopyDefect]) -> set[str]:
    """The stores that do not have `file` right, as far as is known."""
    return {defect.store for defect in defects if defect.file in (WHOLE, file)}


def _unreadable(backup: str, store: str, file: str, error: Exception) -> Problem:
    return Problem.of(ProblemCode.COPY_UNREADABLE, backup=backup, store=store, file=file, reason=why(error))
