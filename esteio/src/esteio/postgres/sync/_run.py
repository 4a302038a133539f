"""A function that gets a transaction, run in its thread until it is committed exactly once.

Promises: what asyncio's run promises: the function runs again only when nothing of its last attempt is committed; a
lost COMMIT is looked up, not repeated; nothing begins after the deadline, and a server that does not answer by then is
not waited for. Ctrl-C ends it at once and is never retried. What else the function does, it does once per attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from random import random
from typing import TYPE_CHECKING, TypeVar

from esteio.policy import DeadlineExceeded
from esteio.policy._scope import SCOPE, leave
from esteio.policy._waits import pause
from esteio.postgres._attempts import Attempts, Trouble, trouble
from esteio.postgres._errors import CommitUnknown
from esteio.postgres._run import time_left
from esteio.postgres._transaction import Mode
from esteio.postgres.sync._connection import SyncConnection
from esteio.postgres.sync._transaction import SyncTransaction

if TYPE_CHECKING:
    from esteio.postgres.sync._database import SyncDatabase

__all__ = ["SyncRun"]

R = TypeVar("R")

_ATTEMPTS = 10


class SyncRun:
    """One call of `SyncDatabase.run`."""

    def __init__(self, database: SyncDatabase, mode: Mode, deadline: float | None, attempts: int | None) -> None:
        self._database = database
        self._mode = mode
        self._now = database.clock.monotonic
        self._limit = time_left(deadline)
        self._expires = self._now() + self._limit
        nested = SCOPE.get()[2]
        self._plan = Attempts(attempts or (1 if nested else _ATTEMPTS), self._expires, random)
        self._work: SyncTransaction | None = None

    def __call__(self, function: Callable[[SyncConnection], R]) -> R:
        while True:
            try:
                return self._once(function)
            except CommitUnknown:
                raise
            except Exception as error:
                now = self._now()
                kind = trouble(error) if self._work is None else self._work.trouble  # a BEGIN that failed began nothing
                wait = self._plan.again(kind, now)
                if wait is None:
                    if now >= self._expires and kind is not Trouble.OTHER:
                        raise DeadlineExceeded(f"database {self._database.name}", self._limit) from error
                    self._database.in_our_words(error)
                    raise
                self._database.tell(self._plan.attempt, kind, wait)
            pause(self._database.clock, wait)

    def _once(self, function: Callable[[SyncConnection], R]) -> R:
        self._work = None
        left = None if self._expires == inf else self._expires - self._now()
        self._work = work = self._database.begin(self._mode, left, self._expires)
        outer = SCOPE.get()
        token = SCOPE.set((self._expires, self._now, True) if self._limit < inf else (*outer[:2], True))
        try:
            result = function(work.conn)
        except BaseException as error:
            work.roll_back(error)
            raise
        finally:
            leave(token)
        work.commit(self._expires)
        return result
