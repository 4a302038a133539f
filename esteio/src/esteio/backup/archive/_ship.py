"""From the spool into the stores: a shipper for each, so that a slow or absent store holds up none of the others.

Promises: a file leaves the spool when every store has it, whole and durable; the only exception is a spool that is full
and was allowed to release what one store has (`Limit.release`), which is told. A store that was away is caught up by
itself, from the spool and from the other stores. A file that is there with the same content is taken as shipped; one with
another content is never replaced, it is a `WalConflict`. The key file for a passphrase is in a store before the first
file that it opens. History files are not encrypted: they hold numbers of timelines and positions, and are read before a
key is needed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from esteio import events
from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupError
from esteio.backup._problem import brief
from esteio.backup.archive._repair import copy_object
from esteio.backup.archive._segments import FOLDER, HISTORY, KEYS, WalObject, object_key, partial_key
from esteio.backup.archive._spool import Limit, Spool, WalNotShipped, WalShipped
from esteio.backup.packing import Packing, PackUnreadable
from esteio.backup.store import ObjectMissing, Store, Stores
from esteio.clock import Clock

__all__ = ["Shipper", "Shipping", "StoreLag", "WalConflict", "WalMismatch"]

_SLOWEST = 10.0  # seconds between two attempts at a store that fails
_LIST_AGAIN = 3600.0  # seconds after which a store is listed anew: others prune it, or remove something by hand

_Held = dict[tuple[str, str], dict[str, str]]  # by cluster and file: the object, by the first digits of its sha256


class WalConflict(BackupError):
    """A store has a file of that name and cluster with another content: two servers go on from the same past."""

    def __init__(self, store: str, file: str) -> None:
        self.store = store
        self.file = file
        super().__init__(
            f"{file} is in {store} with another content; it is not overwritten, and nothing more of this cluster is "
            "shipped there: two servers of one cluster write WAL, or its files were put back without a restore; "
            "stop the wrong one, or restore so that a new timeline begins"
        )


class WalMismatch(BackupError):
    """A file in the spool of a cluster is of another one: our address leads to another server than before."""

    def __init__(self, file: str, system: str, found: str) -> None:
        self.file = file
        self.system = system
        self.found = found
        super().__init__(DetailCode.WAL_OF_OTHER_CLUSTER(file=file, system=system, found=found))


@dataclass(frozen=True, slots=True)
class StoreLag:
    """How far a store is behind the spool."""

    store: str
    waiting: int
    """Complete files that it does not have."""
    waited: float
    """Seconds that the oldest of them has been complete."""
    error: str = ""
    """Why the last attempt failed."""
    conflict: str = ""
    """The file that it has with another content."""


class Shipping:
    """Ships what `spools` holds to each of `stores`; `packing` is asked once, when a store answers for the first time."""

    def __init__(
        self,
        name: str,
        stores: Stores,
        packing: Callable[[], Packing],
        limit: Limit,
        clock: Clock,
        *,
        partial_every: float,
    ) -> None:
        self.name = name
        self.limit = limit
        self.clock = clock
        self.partial_every = partial_every
        self.spools: tuple[Spool, ...] = ()
        self._make_packing = packing
        self._packing: Packing | None = None
        self._lock = threading.Lock()
        self.shippers = tuple(Shipper(self, store) for store in stores.stores)

    def packing(self) -> Packing:
        """How files are packed: with one key for all stores, whoever asks first."""
        with self._lock:
            if self._packing is None:
                self._packing = self._make_packing()
            return self._packing

    def settle(self, spool: Spool, path: Path) -> None:
        """Remove a file from the spool when every store has it, or one has and the spool may release it."""
        content = spool.content(path)
        lacking = [each for each in self.shippers if not each.has(spool.system, path.name, content.sha256)]
        if not lacking or (len(lacking) < len(self.shippers) and self.limit.release and self.full()):
            spool.remove(path)
            for shipper in lacking:
                shipper.compare_again()

    def settle_partial(self, spool: Spool, path: Path) -> None:
        """Remove an unfinished segment to which nothing is added any more, when every store has it."""
        if spool.closed and all(shipper.has_partial(path) for shipper in self.shippers):
            spool.remove(path)

    def full(self) -> bool:
        """Whether the spool holds as much as it may."""
        return self.size() >= self.limit.bytes

    def size(self) -> int:
        """Bytes of all complete files in the spool."""
        return sum(spool.size() for spool in self.spools)

    def ship(self) -> None:
        """One attempt at each store, one after the other; the last error is raised."""
        failed: Exception | None = None
        for shipper in self.shippers:
            try:
                shipper.ship()
            except Exception as error:  # noqa: BLE001 - the other stores are tried all the same; it is raised in the end
                failed = error
        if failed is not None:
            raise failed

    def lags(self) -> tuple[StoreLag, ...]:
        """How far each store is behind."""
        now = self.clock.time()
        return tuple(shipper.lag(now) for shipper in self.shippers)


class Shipper:
    """Of one store. What it has is known from one list, and listed again after each failure."""

    def __init__(self, shipping: Shipping, store: Store) -> None:
        self.store = store
        self._shipping = shipping
        self._held: _Held | None = None
        self._listed_at: float | None = None  # None: it has to be listed before it is trusted
        self._behind: set[Shipper] = set()  # the stores it has not been compared with since it was listed
        self._keys: set[str] = set()
        self._partials: dict[Path, tuple[int, float]] = {}  # st_mtime_ns as it was copied, and when: monotonic
        self._error = ""
        self._conflict = ""

    def run(self, ending: threading.Event, every: float) -> None:
        """Ship every `every` seconds, less often while the store fails, until `ending`."""
        pause = every
        while not ending.is_set():
            try:
                self.ship()
                pause = every
            except Exception:  # noqa: BLE001 - kept by `ship`; whatever it is, the log goes on being received
                pause = min(max(pause, 0.5) * 2, max(_SLOWEST, every))
            ending.wait(pause)

    def ship(self) -> None:
        """Bring what the store lacks: StoreError, WalConflict, or what reading the spool raises."""
        try:
            self._ship()
        except Exception as error:
            self._listed_at = None  # who knows what became of it: a disk may come back empty
            if not self._error:
                events.emit(WalNotShipped(self._shipping.name, self.store.name, error))
            self._error = brief(error)
            self._conflict = error.file if isinstance(error, WalConflict) else ""
            raise
        self._error = self._conflict = ""

    def has(self, system: str, file: str, sha256: str) -> bool:
        """Whether the store is known to have that file with that content."""
        held = self._held if self._listed_at is not None else None
        return held is not None and _short(sha256) in held.get((system, file), {})

    def compare_again(self) -> None:
        """The spool has released what this store lacks: only another store can give it now. Called by any thread."""
        self._behind.update(each for each in self._shipping.shippers if each is not self)

    def has_partial(self, path: Path) -> bool:
        """Whether it was copied as it is now."""
        with suppress(FileNotFoundError):
            return path in self._partials and self._partials[path][0] == path.stat().st_mtime_ns
        return False

    def lag(self, now: float) -> StoreLag:
        """How far it is behind."""
        waiting, oldest = 0, now
        for spool in self._shipping.spools:
            for path in spool.complete():
                with suppress(FileNotFoundError):  # shipped meanwhile
                    if self._held is None or (spool.system, path.name) not in self._held:
                        oldest = min(oldest, path.stat().st_mtime)
                        waiting += 1
        return StoreLag(self.store.name, waiting, max(0.0, now - oldest), self._error, self._conflict)

    def _ship(self) -> None:
        now = self._shipping.clock.monotonic()
        held = self._held
        if held is None or self._listed_at is None or now - self._listed_at > _LIST_AGAIN:
            held = self._list()
            self._listed_at = now
            self._behind = {each for each in self._shipping.shippers if each is not self}
        self._bring_key_file()
        for spool in self._shipping.spools:
            for path in spool.complete():
                try:
                    self._bring(held, spool, path)
                    self._shipping.settle(spool, path)
                except FileNotFoundError:  # another store was the last one to take it
                    continue
        self._bring_partial()
        self._catch_up(held)

    def _list(self) -> _Held:
        held: _Held = {}
        self._keys = set()
        for stored in self.store.list(FOLDER):
            each = WalObject.parse(stored.key)
            if stored.key.startswith(f"{FOLDER}/{KEYS}/"):
                self._keys.add(stored.key)
            elif each is not None and not each.partial and stored.size:
                held.setdefault((each.system or "", each.file), {})[each.sha256] = stored.key
        self._held = held
        return held

    def _bring_key_file(self) -> None:
        encryption = self._shipping.packing().encryption
        if encryption is None or encryption.key_file is None:
            return
        key = key_file_name(encryption.fingerprint)
        if key not in self._keys:
            self.store.put(key, encryption.key_file)
            self._keys.add(key)

    def _bring(self, held: _Held, spool: Spool, path: Path) -> None:
        content = spool.content(path)
        if content.header is not None and content.header.system != spool.system:
            raise WalMismatch(path.name, spool.system, content.header.system)
        known = held.get((spool.system, path.name), {})
        if _short(content.sha256) in known:
            return
        if known:
            raise WalConflict(self.store.name, path.name)
        packing, complete = self._packing_of(path), path.stat().st_mtime
        key = object_key(spool.system, path.name, content.sha256, content.times, packing.suffix)
        self._put(packing, path, key)
        held[spool.system, path.name] = {_short(content.sha256): key}
        # Not before: until the whole one is there, the unfinished one is all that the store has of it.
        self.store.delete(partial_key(spool.system, path.name, packing.suffix))
        seconds = max(0.0, self._shipping.clock.time() - complete)
        if events.active():
            events.emit(WalShipped(self._shipping.name, path.name, (self.store.name,), seconds))

    def _bring_partial(self) -> None:
        """Copy unfinished segments that changed, so that no store is more than `partial_every` seconds behind."""
        now = self._shipping.clock.monotonic()
        present = {path for spool in self._shipping.spools for path in spool.partial()}
        self._partials = {path: copied for path, copied in self._partials.items() if path in present}
        for spool in self._shipping.spools:
            for path in spool.partial():
                try:
                    changed = path.stat().st_mtime_ns  # before it is read: what comes meanwhile is copied the next time
                    copied, copied_at = self._partials.get(path, (None, -inf))
                    if changed != copied and now - copied_at >= self._shipping.partial_every:
                        packing = self._packing_of(path)
                        self._put(packing, path, partial_key(spool.system, path.name, packing.suffix))
                        self._partials[path] = changed, now
                    self._shipping.settle_partial(spool, path)
                except FileNotFoundError:  # complete meanwhile
                    continue

    def _catch_up(self, held: _Held) -> None:
        """Bring what other stores have and this one lacks: it was away while the spool released it, or it is new."""
        for other in list(self._behind):
            # Before its list is read: what the spool releases from now on puts it back, and is brought the next time.
            self._behind.discard(other)
            theirs = other._held  # noqa: SLF001 - another of our own
            if theirs is None or other._listed_at is None:  # noqa: SLF001
                self._behind.add(other)  # until it answers
                continue
            for key in sorted(other._keys - self._keys):  # noqa: SLF001
                copy_object(other.store, self.store, key)
                self._keys.add(key)
            for name, contents in sorted(theirs.copy().items()):
                if name not in held and len(contents) == 1:
                    ((sha256, key),) = contents.items()
                    with suppress(ObjectMissing, PackUnreadable):  # pruned meanwhile; or damaged: a hole here is told
                        copy_object(other.store, self.store, key)
                        held[name] = {sha256: key}

    def _packing_of(self, path: Path) -> Packing:
        packing = self._shipping.packing()
        return replace(packing, encryption=None) if path.name.endswith(HISTORY) else packing

    def _put(self, packing: Packing, path: Path, key: str) -> None:
        with path.open("rb") as source, self.store.open(key) as upload:
            packing.pack(source, upload)
            upload.commit()


def key_file_name(fingerprint: str) -> str:
    """The name of the key file of WAL: one for each key, named for whom it is."""
    return f"{FOLDER}/{KEYS}/{fingerprint}.age"


def _short(sha256: str) -> str:
    return sha256[:16]
