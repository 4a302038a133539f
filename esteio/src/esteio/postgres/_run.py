"""A function that gets a transaction, run until it is committed exactly once.

Promises: the function runs again only when nothing of its last attempt is committed; a lost COMMIT is looked
up, not repeated; nothing begins after the deadline, and an answer that does not come by then is not waited
for. Cancellation ends it at once and is never retried. What else the function does, it does once per attempt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from random import random
from typing import TYPE_CHECKING, TypeVar

from esteio import events
from esteio.policy import DeadlineExceeded
from esteio.policy._scope import OPEN_END, SCOPE, leave
from esteio.policy._waits import pause_async
from esteio.postgres._attempts import Attempts, Trouble
from esteio.postgres._connection import Connection
from esteio.postgres._errors import CommitUnknown
from esteio.postgres._events import TransactionRetried
from esteio.postgres._transaction import Mode, Transaction

if TYPE_CHECKING:
    from esteio.postgres._database import Database

__all__ = ["Run", "time_left"]

R = TypeVar("R")

_ATTEMPTS = 10
_GRACE = 0.02  # a caller that waits for the server is woken by cutting the connection, only others by cancelling


def time_left(deadline: float | None) -> float:
    """Seconds for a call that may take `deadline`, within what a policy around it leaves."""
    scope = SCOPE.get()
    left = inf if scope is OPEN_END or scope[0] == inf else max(0.0, scope[0] - scope[1]())
    return left if deadline is None else min(deadline, left)


class Run:
    """One call of `Database.run`."""

    def __init__(self, database: Database, mode: Mode, deadline: float | None, attempts: int | None) -> None:
        self._database = database
        self._mode = mode
        self._limit = time_left(deadline)
        self._now = database.clock.monotonic
        self._expires = self._now() + self._limit
        nested = SCOPE.get()[2]
        self._plan = Attempts(attempts or (1 if nested else _ATTEMPTS), self._expires, random)
        self._transaction: Transaction | None = None

    async def __call__(self, function: Callable[[Connection], Awaitable[R]]) -> R:
        if self._limit == inf:
            return await self._repeat(function)
        timer = asyncio.get_running_loop().call_later(self._limit, self._cut)
        try:
            async with asyncio.timeout(self._limit + _GRACE) as scope:
                return await self._repeat(function)
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise self._late() from error
        finally:
            timer.cancel()

    async def _repeat(self, function: Callable[[Connection], Awaitable[R]]) -> R:
        while True:
            try:
                return await self._once(function)
            except CommitUnknown:
                raise
            except Exception as error:
                now = self._now()
                kind = Trouble.OTHER if self._transaction is None else self._transaction.trouble
                wait = self._plan.again(kind, now)
                if wait is None:
                    if kind is not Trouble.OTHER and now >= self._expires:
                        raise self._late() from error
                    self._database.in_our_words(error, kind)
                    raise
                if self._transaction is not None:
                    self._database.suspect(self._transaction.pool)
                self._tell(kind, wait)
            await pause_async(self._database.clock, wait)

    async def _once(self, function: Callable[[Connection], Awaitable[R]]) -> R:
        self._transaction = None
        self._transaction = work = await self._database.transact(
            self._mode, min(self._expires - self._now(), self._database.dsn.pool_timeout)
        )
        await work.begin()
        outer = SCOPE.get()
        token = SCOPE.set((self._expires, self._now, True) if self._limit < inf else (*outer[:2], True))
        try:
            result = await function(work.conn)
        except BaseException as error:
            await work.roll_back(error)
            raise
        finally:
            leave(token)
        await work.commit(self._expires)
        self._database.wrote(work)
        return result

    def _cut(self) -> None:
        work = self._transaction
        if work is not None and work.held:
            work.conn.abandon()

    def _late(self) -> Exception:
        work = self._transaction
        if work is not None and work.committing and work.ticket is not None:
            reason = "the deadline passed before it was answered"
            return CommitUnknown(self._database.name, work.ticket.xid, reason)
        return DeadlineExceeded(f"database {self._database.name}", self._limit)

    def _tell(self, kind: Trouble, wait: float) -> None:
        self._database.retried += 1
        if events.active():
            events.emit(TransactionRetried(self._database.name, self._plan.attempt, kind, wait))
