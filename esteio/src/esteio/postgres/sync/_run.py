# Generated from ../_run.py by tools/async_to_sync.py: change that file and run the tool.
"""A function that gets a transaction, run until it is committed exactly once.

Promises: the function runs again only when nothing of its last attempt is committed; a lost COMMIT is looked
up, not repeated; nothing begins after the deadline, and an answer that does not come by then is not waited
for. An interruption ends it at once and is never retried. What else the function does, it does once per attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from random import random
from typing import Any, TypeVar

from esteio.policy import DeadlineExceeded
from esteio.policy._scope import SCOPE, leave
from esteio.policy._test_switches import pause
from esteio.postgres._attempts import Attempts, ErrorKind
from esteio.postgres._commands import Mode
from esteio.postgres._deadline import check_limits, deadline_passed, time_left
from esteio.postgres._errors import CommitUnknown
from esteio.postgres._outcome import Outcome
from esteio.postgres.sync._concurrency import TimeLimit
from esteio.postgres.sync._connection import SyncConnection
from esteio.postgres.sync._core import Core
from esteio.postgres.sync._transaction import Transaction

__all__ = ["Run"]

R = TypeVar("R")

_ATTEMPTS = 10
_GRACE = 0.02  # a policy with the same deadline cancels first, so that it counts its own end


class Run:
    """One call of `SyncDatabase.run`."""

    __slots__ = ("_core", "_expires", "_limit", "_mode", "_now", "_plan", "_result", "_transaction")

    def __init__(self, core: Core, mode: Mode, deadline: float | None, attempts: int | None) -> None:
        if deadline is not None or attempts is not None:
            check_limits(deadline, attempts)
        self._core = core
        self._mode = mode
        self._limit = time_left(deadline)
        self._now = core.clock.monotonic
        self._expires = self._now() + self._limit
        nested = SCOPE.get()[2]
        self._plan = Attempts(attempts or (1 if nested else _ATTEMPTS), self._expires, random)
        self._transaction: Transaction | None = None
        self._result: Any = None

    def __call__(self, function: Callable[[SyncConnection], R]) -> R:
        outer = SCOPE.get()
        token = SCOPE.set((self._expires, self._now, True) if self._limit < inf else (*outer[:2], True))
        try:
            if self._limit == inf:
                return self._repeat(function)
            return self._in_time(function)
        finally:
            leave(token)

    def _in_time(self, function: Callable[[SyncConnection], R]) -> R:
        limit = TimeLimit(self._limit + _GRACE)
        try:
            with limit:
                return self._repeat(function)
        except TimeoutError as error:
            if not limit.expired():
                raise
            if self._transaction is not None and self._transaction.outcome is Outcome.COMMITTED:
                result: R = self._result  # the answer to COMMIT came while we were being cancelled
                return result
            raise self._late() from error

    def _repeat(self, function: Callable[[SyncConnection], R]) -> R:
        while True:
            try:
                return self._once(function)
            except CommitUnknown:
                raise
            except Exception as error:
                now = self._now()
                kind = ErrorKind.OTHER if self._transaction is None else self._transaction.error_kind
                wait = self._plan.again(kind, now)
                if wait is None:
                    if now >= self._expires and (kind is not ErrorKind.OTHER or isinstance(error, DeadlineExceeded)):
                        raise self._late() from error
                    self._core.raise_translated(error, kind)
                    raise
                if self._transaction is not None:
                    self._core.suspect(self._transaction.pool)
                self._core.count_retry(self._plan.attempt, kind, wait)
            pause(self._core.clock, wait)

    def _once(self, function: Callable[[SyncConnection], R]) -> R:
        self._transaction = None
        self._transaction = work = self._core.transact(self._mode, None)
        work.begin()
        try:
            self._result = result = function(work.conn)
            if self._now() >= self._expires:
                raise self._late()  # its COMMIT would be begun after the deadline
        except BaseException as error:
            work.roll_back(error)
            raise
        work.commit(self._expires)
        self._core.wrote(work)
        return result

    def _late(self) -> Exception:
        work = self._transaction
        if work is not None and work.outcome is Outcome.UNKNOWN and work.ticket is not None:
            reason = "the deadline passed before it was answered"
            return CommitUnknown(self._core.name, work.ticket.xid, reason)
        return deadline_passed(self._core.name, self._limit)
