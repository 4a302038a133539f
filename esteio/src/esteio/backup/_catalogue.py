"""What the stores hold: complete backups with their verifications, and folders that never became one.

Promises: nothing but what this package names is looked at, so other files may lie beside the backups. A manifest or a
verification that was changed does not hide the others: the copy in another store is taken, and only when there is none
is it told as the entry's `problem`. What a store lacks of a backup is told as its `defects`. What did not change since it
was read is not read again: a catalogue that is asked every minute must not read hundreds of manifests.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupDamaged, BackupError, BackupNotFound, ManifestError
from esteio.backup._files import MANIFEST, MARKS, VERIFICATION, delete_files
from esteio.backup._manifest import Manifest, taken_at
from esteio.backup._problem import CopyDefect, Problem, ProblemCode, defects_by_size, silent_stores, why
from esteio.backup._verification import Marks, Verification
from esteio.backup.store import AllStoresFailed, Store, Stored, StoreError, Stores
from esteio.clock import SYSTEM, Clock

__all__ = ["SKEW", "Catalogue", "Entry", "ManifestReader", "Read", "Survey", "read_small"]

R = TypeVar("R")

_SETTLED = 5.0  # seconds after which a time of modification tells one version from the next
_SAME_VERIFICATION = 600.0  # seconds by which stores may differ that were given one verification
_LARGEST = 64 * 1024 * 1024  # bytes of a manifest or verification that are read


@dataclass(frozen=True, slots=True)
class Read(Generic[R]):
    """A manifest or verification and its size; without a sound one `value` is None and `problem` says what is wrong."""

    value: R | None
    size: int
    defects: tuple[CopyDefect, ...]
    """What is wrong with those of nearer stores."""
    problem: Problem | None


class ManifestReader:
    """Reads, and remembers what it read."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[Stored, bytes]] = {}  # by store and key, as they were when read

    def forget_all_but(self, keys: Collection[str]) -> None:
        """Of what is gone nothing needs to be remembered."""
        self._known = {each: known for each, known in self._known.items() if each[1] in keys}

    def manifest(self, backup: str, holders: Mapping[str, Stored], asked: Sequence[Store]) -> Read[Manifest]:
        """From the first of the stores `asked` that holds a sound one."""
        return self._first(backup, MANIFEST, holders, asked, lambda content: Manifest.from_json(content, backup=backup))

    def verification(self, backup: str, holders: Mapping[str, Stored], asked: Sequence[Store]) -> Read[Verification]:
        """As `manifest`, but one that a store missed because it was away does not hide a later one."""
        ordered = _latest_first(holders, asked, _SAME_VERIFICATION)
        return self._first(backup, VERIFICATION, holders, ordered, lambda content: _verification(content, backup))

    def marks(self, backup: str, holders: Mapping[str, Stored], asked: Sequence[Store]) -> Read[Marks]:
        """From the store that was given them last."""
        ordered = _latest_first(holders, asked, 0.0)
        return self._first(backup, MARKS, holders, ordered, lambda content: Marks.from_json(content, backup=backup))

    def _first(
        self,
        backup: str,
        file: str,
        holders: Mapping[str, Stored],
        asked: Sequence[Store],
        parsed: Callable[[bytes], R],
    ) -> Read[R]:
        defects: list[CopyDefect] = []
        problem = None
        for store in asked:
            if store.name in holders:
                try:
                    content = self._content(store, holders[store.name])
                    return Read(parsed(content), len(content), tuple(defects), None)
                except (BackupError, StoreError, ValueError) as error:
                    damaged = Problem.of(ProblemCode.DAMAGED, backup=backup, file=file, reason=why(error))
                    problem = problem or damaged
                    defects.append(_defect(backup, store.name, file, error))
        return Read(None, 0, tuple(defects), problem)

    def _content(self, store: Store, stored: Stored) -> bytes:
        known = self._known.get((store.name, stored.key))
        if known is not None and known[0] == stored:
            return known[1]
        content = read_small(store, stored.key)
        if SYSTEM.time() - stored.modified > _SETTLED:
            self._known[store.name, stored.key] = stored, content
        return content


def read_small(store: Store, key: str) -> bytes:
    """A manifest or a verification from one store; what is too long for one comes back cut."""
    collected = bytearray()
    with store.get(key) as source:
        while (data := source.read(1024 * 1024)) and len(collected) < _LARGEST:
            collected += data
    return bytes(collected)


def _latest_first(holders: Mapping[str, Stored], asked: Sequence[Store], same: float) -> list[Store]:
    """`asked`, but stores whose object is more than `same` seconds older than the newest come last."""
    newest = max(stored.modified for stored in holders.values())
    late = {name for name, stored in holders.items() if newest - stored.modified > same}
    return sorted(asked, key=lambda store: store.name in late)


def _defect(backup: str, store: str, file: str, error: Exception) -> CopyDefect:
    if isinstance(error, StoreError):
        problem = Problem.of(ProblemCode.COPY_UNREADABLE, backup=backup, store=store, file=file, reason=why(error))
    else:
        problem = Problem.of(ProblemCode.COPY_CHANGED, backup=backup, store=store, file=file)
    return CopyDefect(store, file, problem)


def _verification(content: bytes, backup: str) -> Verification:
    verification = Verification.from_json(content)
    if verification.backup != backup:
        raise ValueError(DetailCode.OF_OTHER_BACKUP(backup=verification.backup))
    return verification


SKEW = timedelta(minutes=5)
"""By how much the clocks of two machines may differ; what lies further in the future was dated by a wrong one."""

_Files = Mapping[str, Mapping[str, Stored]]  # by file, then by store


@dataclass(frozen=True, slots=True)
class Entry:
    """One folder. `stores` names those that hold all of it; without a manifest it is unfinished or damaged."""

    id: str
    began: datetime
    files: tuple[str, ...]
    stores: tuple[str, ...]
    manifest: Manifest | None = None
    verification: Verification | None = None
    problem: Problem | None = None
    marks: Marks | None = None
    defects: tuple[CopyDefect, ...] = ()
    """What stores lack of it, by names and sizes; of stores that could not be asked nothing is said."""

    @property
    def complete(self) -> bool:
        """Whether it is a backup."""
        return self.manifest is not None

    @property
    def verified(self) -> bool:
        """Whether it was restored to verify it, and all was well."""
        return self.verification is not None and self.verification.ok

    @property
    def failed(self) -> bool:
        """Whether its last verification found something."""
        return self.verification is not None and not self.verification.ok

    @property
    def pinned(self) -> bool:
        """Whether a person wants it kept."""
        return self.marks is not None and self.marks.pinned

    def accepts(self, code: ProblemCode) -> bool:
        """Whether a person accepted this of it; a verification that failed after that is another matter."""
        since = self.verification.when if code is ProblemCode.VERIFICATION_FAILED and self.verification else None
        return self.marks is not None and self.marks.accepts(code.name, since)


@dataclass(frozen=True, slots=True)
class Survey:
    """All folders, the oldest first, and the stores that could not be asked, by name."""

    entries: tuple[Entry, ...]
    silent: Mapping[str, StoreError]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is said of the silent ones."""
        return silent_stores(self.silent)


class Catalogue:
    """The backups in `stores` whose names begin with `prefix`, but for those that `refuses` says are not ours."""

    def __init__(
        self,
        stores: Stores,
        prefix: str,
        *,
        refuses: Callable[[Manifest], Problem | None] = lambda _manifest: None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._refuses = refuses
        self._stores = stores
        self._prefix = prefix
        self._clock = clock
        self._reader = ManifestReader()

    @property
    def where(self) -> str:
        """The stores' names, for people."""
        return ", ".join(store.name for store in self._stores.stores)

    def survey(self) -> Survey:
        """All folders, with one question to each store; AllStoresFailed when no store can be asked."""
        objects, silent = self._stores.look()
        folders: dict[str, dict[str, dict[str, Stored]]] = {}
        for key, holders in objects.items():
            folder, _, name = key.partition("/")
            if folder.startswith(f"{self._prefix}_") and name and taken_at(folder) is not None:
                folders.setdefault(folder, {})[name] = holders
        self._reader.forget_all_but(objects)
        asked = [store for store in self._stores.stores if store.name not in silent]
        entries = [self._entry(folder, files, asked) for folder, files in folders.items()]
        return Survey(tuple(sorted(entries, key=lambda entry: (entry.began, entry.id))), silent)

    def entries(self) -> list[Entry]:
        """All folders, the oldest first; AllStoresFailed when no store can be asked."""
        return list(self.survey().entries)

    def find(self, wanted: str, kind: str | None = None, survey: Survey | None = None) -> Entry:
        """The backup of that name; BackupNotFound, or ManifestError for a damaged one.

        `newest` is the last one made (of `kind`). `latest` is the last one that nothing speaks against: one that failed
        its verification is never it, nor one that a wrong clock dated into the future.
        """
        entries = (survey or self.survey()).entries
        known = [entry for entry in entries if entry.complete]
        fitting = [entry for entry in known if entry.manifest and kind in (None, entry.manifest.kind)]
        now = datetime.fromtimestamp(self._clock.time(), UTC)
        trusted = [entry for entry in fitting if not entry.failed and entry.began - now <= SKEW]
        chosen = {"newest": fitting, "latest": trusted}.get(wanted)
        if chosen:
            return chosen[-1]
        for entry in entries:
            if entry.id == wanted and entry.complete:
                return entry
            if entry.id == wanted and entry.problem:
                raise ManifestError(wanted, entry.problem.reason, DetailCode.USE_OTHER_COPY())
        refused = tuple(entry.id for entry in fitting) if wanted == "latest" else ()
        raise BackupNotFound(wanted, tuple(entry.id for entry in known), self.where, refused)

    def remove(self, entry: Entry) -> dict[str, StoreError]:
        """Delete a folder, in each store its manifest first; why it is still in some, by the store's name."""
        return delete_files(self._stores, entry.id, entry.files)

    def keep_verification(self, verification: Verification) -> None:
        """Keep a verification beside its backup."""
        self._stores.put(f"{verification.backup}/{VERIFICATION}", verification.to_json().encode())

    def mark(self, marks: Marks) -> None:
        """Keep what a person said of a backup beside it."""
        self._stores.put(f"{marks.backup}/{MARKS}", marks.to_json().encode())

    def placed(self, manifest: Manifest, took: Sequence[str]) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
        """Which of the stores that `took` a backup that was just made hold every file of it, and what others lack.

        BackupDamaged when none does.
        """
        stores = Stores([store for store in self._stores.stores if store.name in took])
        try:
            objects, silent = stores.look(manifest.id)
        except AllStoresFailed as error:  # they took it; the verification will find out
            return tuple(took), silent_stores(error.failures)
        files = {key.partition("/")[2]: holders for key, holders in objects.items()}
        asked = [store for store in stores.stores if store.name not in silent]
        entry = self._entry(manifest.id, files, asked)
        if not entry.stores and not silent:
            first = next(iter(entry.defects), None)
            raise BackupDamaged(manifest.id, first.file if first else MANIFEST, DetailCode.NOT_AS_SENT())
        return tuple(entry.stores), (*(defect.problem for defect in entry.defects), *silent_stores(silent))

    def _entry(self, folder: str, files: _Files, asked: list[Store]) -> Entry:
        began = taken_at(folder)
        assert began is not None
        names = tuple(sorted(files))
        holders = [set(files[name]) for name in names if name not in (VERIFICATION, MARKS)]
        stores = tuple(sorted(set.intersection(*holders))) if holders else ()
        if MANIFEST not in files:
            return Entry(folder, began, names, stores)
        read = self._reader.manifest(folder, files[MANIFEST], asked)
        manifest = read.value
        if manifest is None:
            return Entry(folder, began, names, stores, problem=read.problem)
        if refused := self._refuses(manifest):
            return Entry(folder, began, names, stores, problem=refused)
        wanted = {MANIFEST: read.size} | {part.name: part.stored for part in manifest.parts}
        sizes = {file: {store: each.size for store, each in holders.items()} for file, holders in files.items()}
        defects = [*read.defects, *defects_by_size(folder, wanted, MANIFEST, sizes, [store.name for store in asked])]
        defective = {defect.store for defect in defects}
        stores = tuple(sorted(store.name for store in asked if store.name not in defective))
        missing = tuple(part.name for part in manifest.parts if part.name not in files)
        problem = Problem.of(ProblemCode.FILES_MISSING, backup=folder, files=missing) if missing else None
        verification = None
        if VERIFICATION in files:
            proven = self._reader.verification(folder, files[VERIFICATION], asked)
            verification = proven.value
            if verification is None:
                problem = problem or proven.problem
            else:
                defects += proven.defects
        marks = None
        if MARKS in files:  # what cannot be read may say that it is to be kept
            marks = self._reader.marks(folder, files[MARKS], asked).value or Marks(folder, pinned=True)
        return Entry(folder, began, names, stores, manifest, verification, problem, marks, tuple(defects))
