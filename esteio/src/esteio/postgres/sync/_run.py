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
from esteio.policy._test_switches import pause
from esteio.postgres._attempts import Attempts, Trouble
from esteio.postgres._deadline import check_limits, deadline_passed, time_left
from esteio.postgres._errors import CommitUnknown
from esteio.postgres._run import ATTEMPTS
from esteio.postgres._transaction import Mode
from esteio.postgres.sync._connection import SyncConnection
from esteio.postgres.sync._transaction import SyncTransaction

if TYPE_CHECKING:
    from esteio.postgres.sync._database import SyncDatabase

__all__ = ["SyncRun"]

R = TypeVar("R")


class SyncRun:
    """One call of `SyncDatabase.run`."""

    def __init__(self, database: SyncDatabase, mode: Mode, deadline: float | None, attempts: int | None) -> None:
        check_limits(deadline, attempts)
        self._database = database
        self._mode = mode
        self._now = database.clock.monotonic
        self._limit = time_left(deadline)
        self._expires = self._now() + self._limit
        nested = SCOPE.get()[2]
        self._plan = Attempts(attempts or (1 if nested else ATTEMPTS), self._expires, random)
        self._work: SyncTransaction | None = None

    def __call__(self, function: Callable[[SyncConnection], R]) -> R:
        outer = SCOPE.get()
        token = SCOPE.set((self._expires, self._now, True) if self._limit < inf else (*outer[:2], True))
        try:
            return self._repeat(function)
        finally:
            leave(token)

    def _repeat(self, function: Callable[[SyncConnection], R]) -> R:
        while True:
            try:
                return self._once(function)
            except CommitUnknown:
                raise
            except Exception as error:
                now = self._now()
                kind = Trouble.OTHER if self._work is None else self._work.trouble
                wait = self._plan.again(kind, now)
                if wait is None:
                    if now >= self._expires and (kind is not Trouble.OTHER or isinstance(error, DeadlineExceeded)):
                        raise self._late() from error
                    self._database.in_our_words(error, kind)
                    raise
                self._database.tell(self._plan.attempt, kind, wait)
            pause(self._database.clock, wait)

    def _once(self, function: Callable[[SyncConnection], R]) -> R:
        self._work = None
        self._work = work = self._database.transact(self._mode, None)
        work.begin()
        try:
            result = function(work.conn)
            if self._now() >= self._expires:
                raise self._late()  # its COMMIT would be begun after the deadline
        except BaseException as error:
            work.roll_back(error)
            raise
        work.commit(self._expires)
        return result

    def _late(self) -> DeadlineExceeded:
        return deadline_passed(self._database.name, self._limit)
