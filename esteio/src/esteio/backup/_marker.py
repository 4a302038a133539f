"""The marker of a store: without it nothing is written there, so a disk that is not mounted is an error, not a folder.

Promises: `MarkedStore` asks for the marker before each write (in an object store once in five minutes), whoever writes.
A store with the marker of another set of backups is as good as none. The marker also says whether every backup has to be
encrypted: what is not, or was made by another set, is not one of ours, and is neither verified nor restored - a restore runs
what is in a backup as superuser.
"""

from __future__ import annotations

import builtins
import hashlib
import logging
import tempfile
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from esteio.backup._catalogue import read_small
from esteio.backup._details import DetailCode, detail_of
from esteio.backup._errors import EncryptionRequired, ManifestError
from esteio.backup._files import MANIFEST
from esteio.backup._manifest import Manifest, seal, taken_at, unseal
from esteio.backup._problem import Problem, ProblemCode
from esteio.backup.store import (
    AllStoresFailed,
    DirectoryMissing,
    Download,
    Exclusive,
    Store,
    Stored,
    StoreError,
    StoreNotInitialised,
    Stores,
    Sweeping,
    Upload,
)
from esteio.clock import SYSTEM, Clock

__all__ = ["MARKER", "LocalDirectory", "MarkedStore", "Marker", "Markers", "is_marked"]

MARKER = "store.json"
_FORMAT = 1
_TRUSTED = 300.0  # seconds for which an object store that had its marker is not asked again
_ADOPTED = timedelta(days=8)  # a store of the release without markers is ours if it has a backup so young
_logger = logging.getLogger("esteio.backup")


@dataclass(frozen=True, slots=True)
class Marker:
    """Of the set of backups `repository`, which is the same in each of its stores. `created` is UTC in ISO 8601."""

    repository: str
    created: str
    encrypted: bool = False
    """Whether every backup has to be."""
    system: str | None = None
    """The system identifier of the cluster when it was made; None when that could not be asked."""
    format: int = _FORMAT

    def to_json(self) -> str:
        """The text of `store.json`."""
        return seal(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Marker:
        """Read what `to_json` wrote; ValueError when it is anything else."""
        given = unseal(text)
        if given.get("format") != _FORMAT:
            raise ValueError(DetailCode.MARKER_FORMAT(found=repr(given.get("format")), known=_FORMAT))
        try:
            return cls(**given)
        except TypeError as error:
            raise ValueError(DetailCode.NO_MARKER_FILE(error=str(error))) from error

    def refuses(self, manifest: Manifest) -> Problem | None:
        """Why a backup is not one of this set; None when it is. Those from before the marker say no set."""
        if self.encrypted and manifest.encryption is None:
            return Problem.of(ProblemCode.NOT_ENCRYPTED, backup=manifest.id)
        made_by = manifest.details.get("repository")
        older = datetime.fromisoformat(manifest.began) < datetime.fromisoformat(self.created)
        if made_by != self.repository and not (made_by is None and older):
            return Problem.of(ProblemCode.FOREIGN, backup=manifest.id, repository=str(made_by))
        return None


def marked(inner: Store, *, clock: Clock = SYSTEM) -> MarkedStore:
    """`inner`, written to only while it has the marker of its set."""
    return (ExclusiveMarkedStore if isinstance(inner, Exclusive) else MarkedStore)(inner, clock=clock)


class MarkedStore:
    """`inner`, which is written to only while it has the marker of its set."""

    def __init__(self, inner: Store, *, clock: Clock = SYSTEM) -> None:
        self.inner = inner
        self.name = inner.name
        self.repository: str | None = None
        """The set it has to belong to; None while that is not known."""
        self.withheld: StoreError | None = None
        """Why nothing but WAL is written now, and nothing removed; None: it may be."""
        self._clock = clock
        self._until = float("-inf")

    @property
    def root(self) -> Path:
        """That of a directory; AttributeError for others."""
        root: Path = getattr(self.inner, "root")  # noqa: B009 - not every store has one
        return root

    def marker(self) -> Marker | None:
        """Read it; None where there is none. StoreError when the store cannot be asked, or it is damaged."""
        if self.inner.head(MARKER) is None:
            return None
        try:
            return Marker.from_json(read_small(self.inner, MARKER))
        except ValueError as error:
            reason = DetailCode.MARKER_UNREADABLE(reason=detail_of(error))
            raise StoreNotInitialised(self.name, MARKER, reason) from error

    def require(self) -> None:
        """StoreNotInitialised without the marker, or with that of another set."""
        is_directory = hasattr(self.inner, "root")  # it may be unmounted at any moment, and a look costs nothing
        if not is_directory and self._clock.monotonic() < self._until:
            return
        found = self.marker()
        if found is None:
            raise StoreNotInitialised(self.name, MARKER, DetailCode.NOT_MARKED())
        if self.repository is not None and found.repository != self.repository:
            raise StoreNotInitialised(self.name, MARKER, DetailCode.OTHER_REPOSITORY())
        self._until = self._clock.monotonic() + _TRUSTED

    def _require_lease(self, key: str, free: tuple[str, ...]) -> None:
        if self.withheld is not None and not key.startswith(free):
            raise self.withheld

    def put(self, key: str, source: Path | bytes) -> Stored:
        """Write an object."""
        self._require_lease(key, ("lock/", "wal/"))  # WAL is shipped without a lease: it is never overwritten
        self.require()
        return self.inner.put(key, source)

    def open(self, key: str) -> Upload:
        """Begin to write an object."""
        self._require_lease(key, ("lock/", "wal/"))
        self.require()
        return self.inner.open(key)

    @contextmanager
    def get(self, key: str) -> Iterator[Download]:
        """Read an object."""
        with self.inner.get(key) as download:
            yield download

    def head(self, key: str) -> Stored | None:
        """Look at an object."""
        return self.inner.head(key)

    def list(self, prefix: str = "") -> builtins.list[Stored]:
        """The objects below a folder."""
        return self.inner.list(prefix)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._require_lease(key, ("lock/",))
        self.require()
        self.inner.delete(key)

    def sweep(self, before: float, prefix: str = "") -> int:
        """Remove what killed uploads left behind."""
        if not isinstance(self.inner, Sweeping):
            return 0
        self._require_lease(prefix, ())
        self.require()
        return self.inner.sweep(before, prefix)


class ExclusiveMarkedStore(MarkedStore):
    """One in which an object can be made only where there is none."""

    def create(self, key: str, content: bytes) -> bool:
        """Make a small object; False when there is one."""
        self.require()
        assert isinstance(self.inner, Exclusive)
        return self.inner.create(key, content)


class Markers:
    """Those of `stores`, for backups whose names begin with `prefix`."""

    def __init__(self, stores: Stores, prefix: str, *, clock: Clock = SYSTEM) -> None:
        self._marked = tuple(
            store if isinstance(store, MarkedStore) else marked(store, clock=clock) for store in stores.stores
        )
        self.stores = Stores(self._marked)
        self._prefix = prefix
        self._clock = clock
        self._known: Marker | None = None

    def known(self) -> Marker | None:
        """The marker of the first store that has one; None when none can be had."""
        if self._known is None:
            self._known = next(iter(self._present().values()), None)
            for store in self._marked:
                store.repository = self._known.repository if self._known else None
        return self._known

    def refuses(self, manifest: Manifest) -> Problem | None:
        """Why a backup is not one of ours; None when it is, or no store says."""
        known = self.known()
        return known.refuses(manifest) if known else None

    def label(self) -> dict[str, str]:
        """What a manifest says of the set it belongs to."""
        known = self.known()
        return {"repository": known.repository} if known else {}

    def prepare(self, *, encrypted: bool, create: bool) -> None:
        """What has to be there before something is written; StoreNotInitialised when no store has a marker.

        DirectoryMissing, for the same, where not even its directory is there. AllStoresFailed when some could not even be
        asked: each then says its own reason. A store without a marker is given one if `create`, or if it is ours from before
        there were markers: then a readable backup of ours in it is at most eight days old. EncryptionRequired when backups
        are not `encrypted` and have to be.
        """
        self._known = None  # another process may have made it meanwhile
        failures: dict[str, Exception] = {}
        missing = []
        for store in self._marked:
            try:
                if self._lacks(store):
                    missing.append(store)
            except StoreError as error:
                failures[store.name] = error
        for store in missing:
            if self.known() is None and failures:
                break  # the store that could not be asked may have a marker: a second one would make two sets of them
            try:
                self._admit(store, create=create, encrypted=encrypted)
            except StoreError as error:
                failures[store.name] = error
        known = self.known()
        if known is None:
            without = {store.name: _why_missing(store) for store in missing}
            if failures:
                raise AllStoresFailed("", {**without, **failures})
            raise next(iter(without.values()))
        if known.encrypted and not encrypted:
            raise EncryptionRequired(self._marked[0].name)

    def init(self, *, encrypted: bool, system: str | None) -> tuple[tuple[str, bool], ...]:
        """Give a marker to each store that has none: its name, and whether that was needed. StoreError when one fails."""
        done = []
        for store in self._marked:
            lacks = self._lacks(store)
            if lacks:
                self._place(store, encrypted=encrypted, system=system)
            done.append((store.name, lacks))
        return tuple(done)

    def withhold(self, lacking: Mapping[str, StoreError]) -> None:
        """Change nothing in these stores, by their names, because of that; in the others again."""
        for store in self._marked:
            store.withheld = lacking.get(store.name)

    def _present(self) -> dict[str, Marker]:
        found = {}
        for store in self._marked:
            try:
                marker = store.marker()
            except StoreError:
                continue  # it is told where it matters: by `require`, or by the list of the store
            if marker is not None:
                found[store.name] = marker
        return found

    def _lacks(self, store: MarkedStore) -> bool:
        root = getattr(store, "root", None)
        if isinstance(root, Path) and not root.exists():
            return True  # asked for its marker it would say that the directory is missing
        return store.marker() is None

    def _admit(self, store: MarkedStore, *, create: bool, encrypted: bool) -> None:
        if create:
            self._place(store, encrypted=encrypted)
        elif self._is_ours(store):
            _logger.warning("%s: adopted, it has backups of ours; `backup init` is not needed", store.name)
            self._place(store, encrypted=False)

    def _place(self, store: MarkedStore, *, encrypted: bool, system: str | None = None) -> None:
        known = self.known()
        at = datetime.fromtimestamp(self._clock.time(), UTC).isoformat(timespec="seconds")
        made = known or Marker(uuid.uuid4().hex, at, encrypted, system)
        store.inner.put(MARKER, made.to_json().encode())
        self._known = None
        self.known()

    def _is_ours(self, store: MarkedStore) -> bool:
        try:
            keys = {stored.key for stored in store.list()}
            newest = _newest(keys, self._prefix)
            if newest is None or self._now() - newest[1] > _ADOPTED:
                return False
            Manifest.from_json(read_small(store, f"{newest[0]}/{MANIFEST}"), backup=newest[0])
        except (StoreError, ManifestError):
            return False
        return True

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)


def _why_missing(store: MarkedStore) -> StoreError:
    """Why a store has no marker, as `status` says it too."""
    root = getattr(store, "root", None)
    if isinstance(root, Path) and not root.exists():
        return DirectoryMissing(store.name, MARKER, DetailCode.DIRECTORY_ABSENT())
    return StoreNotInitialised(store.name, MARKER, DetailCode.NOT_MARKED())


def is_marked(root: Path) -> bool:
    """Whether small files may lie in a directory that is a store."""
    return (root / MARKER).is_file()


def _newest(keys: Collection[str], prefix: str) -> tuple[str, datetime] | None:
    """The newest backup among the objects of a store."""
    folders: Sequence[str] = [key.removesuffix(f"/{MANIFEST}") for key in keys if key.endswith(f"/{MANIFEST}")]
    ours = [(each, at) for each in folders if each.startswith(f"{prefix}_") and (at := taken_at(each))]
    return max(ours, key=lambda each: each[1], default=None)


class LocalDirectory:
    """Of the backups in `stores`."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    @property
    def root(self) -> Path | None:
        """The first directory among the stores."""
        roots = (getattr(store, "root", None) for store in self._stores.stores)
        return next((root for root in roots if isinstance(root, Path)), None)

    @property
    def directory(self) -> Path:
        """The same, or the temporary directory."""
        return self._usable() or Path(tempfile.gettempdir())

    def file(self, name: str) -> Path:
        """The file for `name`."""
        if (root := self._usable()) is not None:
            return root / f".{name}"
        digest = hashlib.sha256("\n".join(store.name for store in self._stores.stores).encode()).hexdigest()[:16]
        return self.directory / f"esteio-backup-{digest}.{name}"

    def _usable(self) -> Path | None:
        return self.root if self.root is not None and is_marked(self.root) else None
