"""The lease: which process may change what is in a store, decided by the store itself, where several machines can write.

Promises: of all who ask a store that can make an object only where there is none, one has the lease. It is a small object,
`lock/GENERATION.json`; who takes the lease makes the next generation, so one that was stopped for an hour and goes on finds
out by a look that it is not the newest any more (`require`). It is renewed while its holder works. A holder that died is
replaced when its object did not change for a whole term by our own clock: clocks that differ take no lease away. On one
host, where the lock file says that the holder is gone, at once.

In a store whose lease cannot be had nothing is written or removed until the next time. One that is full has no room for a
lease; there it is worked without, which is logged, for only removing helps.

What it cannot promise: a store does not refuse a write for its generation, so between the last look and a write there is a
moment.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from esteio.backup._details import DetailCode
from esteio.backup._errors import LeaseHeld, LeaseLost
from esteio.backup._lock import Lock
from esteio.backup.store import Exclusive, ObjectMissing, Store, StoreError, StoreFull, StoreUnavailable
from esteio.clock import SYSTEM, Clock

__all__ = ["Leases", "StoreLease", "WriteLock"]

_FOLDER = "lock"
_TERM = 60.0  # seconds a lease is good for after it was last renewed
_RENEWALS = 4  # in a term: one store's hiccup of some seconds costs no lease
_LOOKS = 12  # in a term, at a holder that seems dead
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_logger = logging.getLogger("esteio.backup")


@dataclass(frozen=True, slots=True)
class StoreLease:
    """What a store says of its lease. Times are UTC in ISO 8601."""

    generation: int
    holder: str
    """A number of its own for each that ever held one."""
    host: str
    pid: int
    kernel: str
    """Of the running kernel: with the same one, the lock file is known to be the same too. Empty where there is none."""
    since: str
    expires: str
    renewals: int = 0
    """So that each renewal changes the object, whatever the clock of its holder says."""
    released: bool = False

    @property
    def key(self) -> str:
        """The object's name."""
        return f"{_FOLDER}/{self.generation:010d}.json"

    def expired(self, now: datetime, term: float) -> bool:
        """Whether its holder seems dead; so does one whose clock is far ahead, which would never be replaced else."""
        with suppress(ValueError, TypeError):
            return not timedelta() < datetime.fromisoformat(self.expires) - now <= timedelta(seconds=2 * term)
        return True


class Leases:
    """Those of `stores`, for one holder at a time. `dead` is a holder that is known to have ended on this host."""

    def __init__(self, stores: Sequence[Store], *, term: float = _TERM, clock: Clock = SYSTEM) -> None:
        self.holder = uuid.uuid4().hex
        self._stores = [store for store in stores if isinstance(store, Exclusive)]
        self._term = term
        self._clock = clock
        self._held: dict[str, tuple[Store, StoreLease]] = {}
        self._others = len(self._stores) < len(stores)
        self.lacking: dict[str, StoreError] = {}
        """The stores whose lease could not be had, and why."""
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def look(self) -> Mapping[str, StoreLease]:
        """Who has the lease of each store, by its name; not of those where nobody has, or that do not answer."""
        found = {}
        for store in self._stores:
            with suppress(StoreError):
                if (newest := _newest(store)) is not None and not newest.released:
                    found[store.name] = newest
        return found

    def take(self, dead: str = "") -> None:
        """Take the lease of each store that answers; `lacking` are the others.

        LeaseHeld when somebody has one of them, and then we have none.

        Where a holder seems dead this takes a term.
        """
        seen: dict[str, StoreLease | None] = {}
        for store in self._stores:
            try:
                seen[store.name] = _newest(store)
            except StoreError as error:
                self._lack(store, error)
        stores = [store for store in self._stores if store.name in seen]
        self._outlast(stores, seen, dead)
        try:
            for store in stores:
                self._take_one(store, seen[store.name])
        except BaseException:
            self.release()
            raise
        self._threads = [
            threading.Thread(target=self._keep, args=(store,), name=f"esteio lease {store.name}", daemon=True)
            for store, _ in self._held.values()
        ]
        for thread in self._threads:  # one each: a store that hangs keeps no other from being renewed
            thread.start()

    def require(self) -> None:
        """Look whether we still have the lease of each store that answers; LeaseLost when somebody else took one.

        Asked right before what another must not see half done: a manifest is written, a backup is removed.
        """
        for store, lease in self._held.values():
            with suppress(StoreError):  # what is written there next fails as well
                newest = _newest(store)
                if newest is None or (newest.generation, newest.holder) != (lease.generation, lease.holder):
                    raise LeaseLost(store.name, newest.host if newest else "", newest.pid if newest else 0)

    @property
    def alone(self) -> bool:
        """Whether nobody else can be at work where we may write: each such store has leases, and we have its."""
        return not self._others and all(each.name in self._held or each.name in self.lacking for each in self._stores)

    def release(self) -> None:
        """Give all back; one whose store does not answer now runs out."""
        self._ending.set()
        for thread in self._threads:
            thread.join(self._term)  # a renewal under way would take back what is given back here
        for store, lease in self._held.values():
            with suppress(StoreError, LeaseLost):
                self._written(store, replace(lease, released=True))
        self._held.clear()

    def unlock(self) -> Mapping[str, StoreLease]:
        """Take the leases away from whoever has them, by a person's word; who had them, by the store's name.

        Whoever still works there finds out before it writes its manifest or removes a backup, and ends.
        """
        found = {}
        for store in self._stores:
            newest = _newest(store)
            if newest is not None and not newest.released:
                self._made(store, replace(self._ours(newest.generation + 1), released=True))
                found[store.name] = newest
        return found

    def _outlast(self, stores: Sequence[Store], seen: dict[str, StoreLease | None], dead: str) -> None:
        """Return when nobody has any of them; LeaseHeld as soon as somebody is known to live."""
        doubtful = []
        for store in stores:
            lease = seen[store.name]
            if lease is None or lease.released or (dead and (lease.holder, lease.kernel) == (dead, _kernel())):
                continue
            if not lease.expired(self._now(), self._term):
                raise _held(store, lease)
            doubtful.append(store)
        if not doubtful:
            return
        _logger.warning("the lease of %s has run out; it is watched for %d s", doubtful[0].name, self._term)
        deadline = self._clock.monotonic() + self._term
        while self._clock.monotonic() < deadline:
            self._clock.sleep(self._term / _LOOKS)
            for store in doubtful:
                newest = _newest(store)
                if newest != seen[store.name] and newest is not None and not newest.released:
                    raise _held(store, newest)
                seen[store.name] = newest

    def _take_one(self, store: Store, before: StoreLease | None) -> None:
        lease = self._ours(before.generation + 1 if before else 1)
        try:
            if not self._made(store, lease):
                raise _held(store, _newest(store) or lease)
            self._held[store.name] = store, lease
            # Another may have taken a later generation, and removed ours, between our look and our write.
            newest = _newest(store)
            if newest is None or newest.holder != self.holder:
                raise _held(store, newest or lease)
            for number in _generations(store):
                if number < lease.generation:
                    store.delete(replace(lease, generation=number).key)
        except StoreError as error:
            self._held.pop(store.name, None)
            self._lack(store, error)

    def _lack(self, store: Store, error: StoreError) -> None:
        if isinstance(error, StoreFull):
            _logger.warning("worked without the lease of %s: %s", store.name, error)
            return
        _logger.warning("nothing is written or removed in %s now, its lease cannot be had: %s", store.name, error)
        self.lacking[store.name] = error

    def _made(self, store: Store, lease: StoreLease) -> bool:
        assert isinstance(store, Exclusive)
        return store.create(lease.key, json.dumps(asdict(lease), indent=1).encode())

    def _keep(self, store: Store) -> None:
        while not self._ending.wait(self._term / _RENEWALS):
            try:
                self._written(store, self._held[store.name][1])
            except LeaseLost as error:
                _logger.warning("%s", error)
                return
            except StoreError as error:
                _logger.warning("the lease of %s is not renewed: %s", store.name, error)

    def _written(self, store: Store, lease: StoreLease) -> None:
        """Write it again, as of now, if it is still the newest. Who took a later one is not disturbed by ours."""
        newest = _newest(store)
        if newest is None or newest.holder != self.holder:
            raise LeaseLost(store.name, newest.host if newest else "", newest.pid if newest else 0)
        renewed = replace(lease, expires=self._in_a_term(), renewals=newest.renewals + 1)
        store.put(lease.key, json.dumps(asdict(renewed), indent=1).encode())

    def _ours(self, generation: int) -> StoreLease:
        now = self._now().isoformat(timespec="seconds")
        return StoreLease(generation, self.holder, socket.gethostname(), os.getpid(), _kernel(), now, self._in_a_term())

    def _in_a_term(self) -> str:
        return (self._now() + timedelta(seconds=self._term)).isoformat(timespec="milliseconds")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)


class WriteLock:
    """Held within the block by one process: `lock`, the lock file of this host, then the lease of each store.

    `withhold` is called with the stores whose lease could not be had, and with none at the end.
    AlreadyRunning, or LeaseHeld, which is one: another machine is at work.
    """

    def __init__(
        self,
        lock: Lock,
        leases: Leases,
        withhold: Callable[[Mapping[str, StoreError]], object] = lambda _lacking: None,
    ) -> None:
        self._lock = lock
        self._leases = leases
        self._withhold = withhold

    @property
    def alone(self) -> bool:
        """Whether nobody else can be making a backup where we may write: what is unfinished there is nobody's."""
        return self._leases.alone

    def require(self) -> None:
        """LeaseLost when another has taken the lease of a store."""
        self._leases.require()

    def __enter__(self) -> Self:
        self._lock.__enter__()
        try:
            # Whoever wrote that name into the lock file held the lock, and does not any more: it has ended.
            self._leases.take(dead=self._lock.note)
            self._lock.write(self._leases.holder)
            self._withhold(self._leases.lacking)
        except BaseException as error:
            self._leases.release()
            self._lock.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self._withhold({})
            self._leases.release()
        finally:
            self._lock.__exit__(kind, error, tb)


def _newest(store: Store) -> StoreLease | None:
    for _ in range(_LOOKS):  # who takes the next generation removes the one that was just listed
        numbers = _generations(store)
        if not numbers:
            return None
        with suppress(ObjectMissing):
            return _read(store, max(numbers))
    raise StoreUnavailable(store.name, _FOLDER, DetailCode.LEASE_CHANGES())


def _read(store: Store, generation: int) -> StoreLease:
    empty = StoreLease(generation, "", "", 0, "", "", "")
    with store.get(empty.key) as source:
        content = source.read(10_000)
    try:
        return StoreLease(**{**json.loads(content), "generation": generation})
    except (ValueError, TypeError):  # half written by a killed process, or by another version: replaced after a term
        return replace(empty, holder=content.hex())


def _generations(store: Store) -> list[int]:
    names = [stored.key.removeprefix(f"{_FOLDER}/").removesuffix(".json") for stored in store.list(_FOLDER)]
    return [int(name) for name in names if name.isdecimal()]


def _held(store: Store, lease: StoreLease) -> LeaseHeld:
    return LeaseHeld(store.name, host=lease.host, pid=lease.pid, since=lease.since, expires=lease.expires)


def _kernel() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
