"""Readers and removers of several machines, told apart in the store: nothing is removed while somebody reads it.

Promises: who reads and who removes each puts a small object into every store, `lock/reader-ID.json` or `lock/remover-ID.json`,
renews it, and only then looks for those of the other side. Of two who come at the same moment at least one so sees the
other: a remover gives up (`StoreInUse`), a reader waits until the remover is done. Whether the other one lives is decided by
the times the store itself gave its object and ours, so no clock of a machine has a say. The object of a dead one counts for
nothing after a minute, and is removed by the next remover.

What it cannot promise: a reader that stood still for longer than that and goes on may find its backup gone, and fails then; a
reader that may not write into a store is logged, and only those who remove on its own machine wait for it.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

from esteio.backup._errors import StoreInUse
from esteio.backup.store import ObjectMissing, Store, Stored, StoreError, StoreUnavailable
from esteio.clock import SYSTEM, Clock

__all__ = ["Announcement", "Side"]

_FOLDER = "lock"
_TERM = 60.0  # seconds one is good for after it was last renewed
_RENEWALS = 4  # in a term: one store's hiccup of some seconds hides nobody
_POLL = 1.0
_TRIES = 5
_logger = logging.getLogger("esteio.backup")


class Side(StrEnum):
    """Who is announced."""

    READER = "reader"
    REMOVER = "remover"

    @property
    def other(self) -> Side:
        """Whom it looks for."""
        return Side.REMOVER if self is Side.READER else Side.READER


class Announcement:
    """That we are at work as `side` in `stores`, within the block.

    StoreInUse when somebody of the other side still is after `patience` seconds; `waiting` is called when that is waited for.
    """

    def __init__(
        self,
        stores: Sequence[Store],
        side: Side,
        patience: float = 0.0,
        waiting: Callable[[], object] = lambda: None,
        *,
        term: float = _TERM,
        clock: Clock = SYSTEM,
    ) -> None:
        self._stores = list(stores)
        self._side = side
        self._patience = patience
        self._waiting = waiting
        self._term = term
        self._clock = clock
        self._key = f"{_FOLDER}/{side}-{uuid.uuid4().hex}.json"
        self._since = ""
        self._announced: list[Store] = []
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._since = datetime.fromtimestamp(self._clock.time(), UTC).isoformat(timespec="seconds")
        try:
            self._announced = [store for store in self._stores if self._put(store)]
            for store in self._announced:  # one thread each: a store that hangs keeps no other from being renewed
                thread = threading.Thread(target=self._keep, args=(store,), name=f"esteio {self._side}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._await_others()
        except BaseException:
            self._withdraw()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._withdraw()

    def _put(self, store: Store) -> bool:
        about = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since": self._since}).encode()
        for _ in range(_TRIES):
            try:
                store.put(self._key, about)
            except ObjectMissing:  # of a directory: another removed the folder, empty by then, between our two steps
                continue
            except StoreError as error:
                # From one that does not answer nothing is read or removed either.
                level = logging.INFO if isinstance(error, StoreUnavailable) else logging.WARNING
                _logger.log(level, "%s: a %s cannot be announced there: %s", store.name, self._side, error)
                return False
            return True
        return False

    def _keep(self, store: Store) -> None:
        while not self._ending.wait(self._term / _RENEWALS):
            self._put(store)

    def _await_others(self) -> None:
        deadline, waited = self._clock.monotonic() + self._patience, False
        while (found := self._others()) is not None:
            if self._clock.monotonic() >= deadline:
                raise found
            if not waited:
                waited = True
                self._waiting()
            self._clock.sleep(_POLL)

    def _others(self) -> StoreInUse | None:
        """The first of the other side that lives."""
        for store in self._announced:
            with suppress(StoreError):  # what is read or removed there next fails as well
                for stored in self._living(store):
                    return _held(store, stored, self._term)
        return None

    def _living(self, store: Store) -> Iterator[Stored]:
        listed = {stored.key: stored for stored in store.list(_FOLDER)}
        ours = listed.get(self._key)
        now = max((stored.modified for stored in listed.values()), default=0.0) if ours is None else ours.modified
        for key, stored in listed.items():
            if not key.startswith(f"{_FOLDER}/{self._side.other}-"):
                continue
            if now - stored.modified <= self._term:
                yield stored
            elif self._side is Side.REMOVER:
                with suppress(StoreError):
                    store.delete(key)

    def _withdraw(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(self._term)  # a renewal under way would put back what is removed here
        for store in self._announced:
            with suppress(StoreError):  # it counts for nothing after a term
                store.delete(self._key)


def _held(store: Store, stored: Stored, term: float) -> StoreInUse:
    about: Mapping[str, Any] = {}
    with suppress(StoreError, ValueError), store.get(stored.key) as source:
        about = json.loads(source.read(10_000))
    expires = datetime.fromtimestamp(stored.modified + term, UTC).isoformat(timespec="seconds")
    host, pid = str(about.get("host", "")), int(about.get("pid", 0))
    return StoreInUse(store.name, host=host, pid=pid, since=str(about.get("since", "")), expires=expires)
