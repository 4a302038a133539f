"""Limits that the workers of one host keep together.

Promises: as in `esteio.limit.host`. Safe across threads, processes and forks; `close()` in the process that made
the file removes it. A set whose lock is held too long is decided as each limit's `on_failure` says, at once, until
its lock was free again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from re import fullmatch
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Final

from esteio import events
from esteio.clock import SYSTEM, Clock
from esteio.events import Event
from esteio.limit._algorithms import State
from esteio.limit._decision import Decision
from esteio.limit._errors import HostStoreError, LimitError
from esteio.limit._events import LimitsDegraded, LimitsRestored
from esteio.limit._group import decide_group
from esteio.limit._limit import Hit, Limit, check_count, check_hit, check_seconds
from esteio.limit._memory import MemoryStore
from esteio.limit._on_failure import is_denied_anyway, on_failure
from esteio.limit._time import microseconds
from esteio.limit.host._file import create, open_again, open_checked
from esteio.limit.host._layout import Place, Table
from esteio.limit.host._locks import SetLocks
from esteio.policy._forks import renew_after_fork

__all__ = ["HostStore"]

_MOST_KEYS = 1 << 22
REASON = "a worker of this host holds the lock and stands still"


class HostStore:
    """The store behind the file at `path`, which `HostStore.create` made.

    `patience` is the longest wait for a lock, in seconds; all waits of one decision together. `clock` has to run
    alike in all processes: the default is the system's monotonic clock. Raises `HostStoreError` for a file that is
    missing, of another version or size, or open to other users.
    """

    remote: Final = False

    def __init__(self, path: str | Path, *, patience: float = 0.045, clock: Clock = SYSTEM) -> None:
        check_seconds("patience", patience, 0, 60)
        self.path = Path(path)
        self._descriptor, self._memory, self._header = open_checked(self.path)
        self._table = Table(memoryview(self._memory))
        self._patience = patience
        self._locks = SetLocks(self._descriptor, patience)
        self._clock = microseconds(clock)
        self._share = MemoryStore(clock=clock)
        self._threads = Lock()  # the kernel's locks are the open file's: they keep processes apart, not our threads
        self._away_since: float | None = None
        self._made_by: int | None = None
        self._closed = False
        renew_after_fork(self)

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        keys: int = 16_384,
        workers: int = 2,
        patience: float = 0.045,
        clock: Clock = SYSTEM,
    ) -> HostStore:
        """Make a new file, in the parent of all that will open it; closing this store removes the file.

        `keys` pairs of key and limit have room (about 1.2 KiB each); `workers` is what a limit is divided by
        while a lock can't be had.
        """
        check_count("keys", keys, 1, _MOST_KEYS)
        check_count("workers", workers, 1, 10_000)
        create(Path(path), keys, workers)
        store = cls(path, patience=patience, clock=clock)
        store._made_by = os.getpid()
        return store

    @staticmethod
    def place(name: str) -> Path:
        """A path for the file of the service `name`: in memory where the system has a directory for that."""
        if not isinstance(name, str) or not fullmatch(r"[\w.-]{1,64}", name):
            raise LimitError("name", name, "1 to 64 letters, digits, dots, dashes and underscores")
        private = os.environ.get("XDG_RUNTIME_DIR", "")
        for directory in ("/dev/shm", private, tempfile.gettempdir()):  # noqa: S108 - the file is private and checked
            if directory and os.access(directory, os.W_OK):
                return Path(directory, f"esteio-{os.geteuid()}-{name}.limits")
        raise HostStoreError(name, "no directory for it may be written", "set XDG_RUNTIME_DIR or TMPDIR to one")

    def close(self) -> None:
        """Let go of the file; in the process that made it, remove it. A second call does nothing."""
        with self._threads:
            if self._closed:
                return
            self._closed = True
            self._table.release()
            self._memory.close()
            os.close(self._descriptor)
        if self._made_by == os.getpid():
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> HostStore:
        return self

    def __exit__(self, _type: object, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def renew(self) -> None:
        """In a forked child: the parent's threads are not there, and its locks must not be shared."""
        self._threads = Lock()
        if not self._closed:
            try:
                self._descriptor = open_again(self._descriptor)
            except OSError:
                self._closed = True  # without /proc: better refused than counted twice
            self._locks = SetLocks(self._descriptor, self._patience)

    # -- what a Store does

    def hit_now(self, key: str, limit: Limit, cost: int = 1) -> Decision:
        """Decide one hit."""
        check_hit(key, cost)
        return self.decide_now((Hit(key, limit, cost),), charge=True)[0]

    def decide_now(self, hits: Sequence[Hit], *, charge: bool) -> list[Decision]:
        """Decide several hits, all or nothing."""
        places = [self._place(hit) for hit in hits]
        numbers = sorted({number for number, _ in places})
        with self._threads:
            self._check_open()
            if self._locks.acquire(numbers):
                try:
                    decisions = self._decide(hits, places, charge)
                finally:
                    self._locks.release(numbers)
            else:
                decisions = self._decide_alone(hits, charge)
            event = self._changed()
        if event is not None:
            events.emit(event)
        return decisions

    def refund_now(self, key: str, limit: Limit, cost: int = 1) -> None:
        """Give back `cost`; nothing is given back while the lock can't be had."""
        check_hit(key, cost)
        self._change(Hit(key, limit), lambda state, now: limit.rule.refund(state, now, cost, limit))

    def reset_now(self, key: str, limit: Limit) -> None:
        """Forget what `key` used; HostStoreError while the lock can't be had."""
        check_hit(key, 1)
        if not self._change(Hit(key, limit), lambda _state, _now: ()):
            raise HostStoreError(str(self.path), REASON, "try again, or end that worker")

    # -- under the locks

    def _decide(self, hits: Sequence[Hit], places: Sequence[Place], charge: bool) -> list[Decision]:
        now = self._clock()  # after the locks are taken, so that times in one set are in order
        decisions, kept = decide_group(hits, places, self._table.read, now, charge)
        for place, (state, reset) in kept.items():
            self._table.write(place, state, now + reset, now)
        return decisions

    def _decide_alone(self, hits: Sequence[Hit], charge: bool) -> list[Decision]:
        """As `on_failure` of each limit says, by this worker's share; all or nothing, as in the file."""
        local = [hit for hit in hits if hit.limit.on_failure == "local"]
        counted = [hit._replace(limit=hit.limit.share(self._header.workers)) for hit in local]
        shares = iter(self._share.decide_now(counted, charge=charge and not any(map(is_denied_anyway, hits))))
        return [on_failure(hit, next(shares) if hit.limit.on_failure == "local" else None, REASON) for hit in hits]

    def _change(self, hit: Hit, changed: Callable[[State, int], State]) -> bool:
        """Put another state in the place of the one that is kept; False when the lock can't be had."""
        place = self._place(hit)
        numbers = (place[0],)
        with self._threads:
            self._check_open()
            if not self._locks.acquire(numbers):
                return False
            try:
                now = self._clock()
                state = self._table.read(place)
                if state:
                    state = changed(state, now)
                    self._table.write(place, state, hit.limit.rule.until(state, hit.limit), now)
            finally:
                self._locks.release(numbers)
        return True

    def _place(self, hit: Hit) -> Place:
        raw = f"{hit.limit.scope}\0{hit.key}".encode("utf-8", "surrogatepass")
        digest = blake2b(raw, digest_size=16, key=self._header.secret).digest()
        return int.from_bytes(digest[:8], "little") % self._header.sets, digest

    def _changed(self) -> Event | None:
        """What to tell when locks began or ceased to be held too long."""
        if self._locks.stuck and self._away_since is None:
            self._away_since = monotonic()
            return LimitsDegraded(self.path.name, REASON)
        if self._away_since is not None and not self._locks.stuck:
            away, self._away_since = monotonic() - self._away_since, None
            return LimitsRestored(self.path.name, away, 0)
        return None

    def _check_open(self) -> None:
        if self._closed:
            raise HostStoreError(str(self.path), "this store was closed", "open it again with HostStore(path)")
