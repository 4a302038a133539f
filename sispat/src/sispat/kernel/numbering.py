"""Numbers that are given once: each process' turn at the counter row.

Promises: a number is taken from the table `numeracao` in the statement that uses it (ADR 1), so that one that fails
gives it back. `NumberTurn` is a queue in front of that row.
"""

from __future__ import annotations

import asyncio

__all__ = ["NumberTurn"]


class NumberTurn:
    """A request's turn at the counter row, from `take` until its transaction is over.

    `queue` belongs to the process. The row admits one at a time anyway; waiting here instead of there was measured to
    create 2 to 3 times as many assets a second, because PostgreSQL wakes and re-checks every waiter. The wait is bounded
    by the pool's connections and their statement_timeout.
    """

    __slots__ = ("_mine", "_queue")

    def __init__(self, queue: asyncio.Lock | None = None) -> None:
        self._queue = queue or asyncio.Lock()
        self._mine = False

    async def take(self) -> None:
        """Wait for the turn; at once when it is ours already."""
        if not self._mine:
            await self._queue.acquire()
            self._mine = True

    def give_back(self) -> None:
        """Let the next request have it."""
        if self._mine:
            self._mine = False
            self._queue.release()
