"""The callers who wait for a connection of one pool: first come, first served.

Promises: nobody is kept longer than the limit of his call, and no more than `max_waiting` wait. The pool's lock guards
all of it (`_guarded.py`); only `Waiter.gate` is waited for, by its one caller and without the lock.
"""

from __future__ import annotations

from collections import OrderedDict

from esteio.postgres._concurrency import Gate
from esteio.postgres._connection import Connection
from esteio.postgres._errors import DatabaseUnavailable, PoolExhausted, copy_error
from esteio.postgres._histogram import Histogram, Times

__all__ = ["Waiter", "WaitingQueue"]

_COUNTED_TOGETHER = 64  # waits: counting many at once is cheaper than one with each connection handed over


class Waiter:
    """A caller in the queue, until it has a connection or an error."""

    __slots__ = ("began", "conn", "error", "gate")

    def __init__(self, now: float) -> None:
        self.began = now
        self.gate = Gate()
        self.conn: Connection | None = None
        self.error: DatabaseUnavailable | PoolExhausted | None = None


class WaitingQueue:
    """At most `max_waiting` callers, and how long they waited."""

    def __init__(self, max_waiting: int) -> None:
        self.max_waiting = max_waiting
        self.waiters: OrderedDict[Waiter, None] = OrderedDict()
        self.queued = self.served = self.timeouts = self.rejected = 0
        self._waits = Histogram()
        self._uncounted: list[float] = []

    @property
    def is_full(self) -> bool:
        """Whether nobody else may wait."""
        return len(self.waiters) >= self.max_waiting

    @property
    def wait_seconds(self) -> float:
        """The time all callers have waited so far."""
        self._count()
        return self._waits.seconds

    def times(self, immediate: int) -> Times:
        """How many callers waited for how long, `immediate` more for no time."""
        self._count()
        return self._waits.times(immediate=immediate)

    def enter(self, now: float) -> Waiter:
        """The last place in the queue."""
        waiter = Waiter(now)
        self.waiters[waiter] = None
        self.queued += 1
        return waiter

    def serve_first(self, conn: Connection, now: float) -> None:
        """Hand `conn`, which is in use, to the caller who waits longest; somebody waits."""
        waiter, _ = self.waiters.popitem(last=False)
        self.served += 1
        self._waited(now - waiter.began)
        waiter.conn = conn
        waiter.gate.open()

    def leave(self, waiter: Waiter) -> bool:
        """`waiter` waits no longer; whether it did until now. If not, it has a connection or an error."""
        return self.waiters.pop(waiter, waiter) is None

    def time_is_up(self, waiter: Waiter, now: float) -> bool:
        """As `leave`, of a caller whose time is up."""
        waited = self.leave(waiter)
        if waited:
            self.timeouts += 1
            self._waited(now - waiter.began)
        return waited

    def refuse_all(self, error: DatabaseUnavailable, now: float) -> None:
        """Everybody gets an error of his own like `error`."""
        while self.waiters:
            waiter, _ = self.waiters.popitem(last=False)
            self._waited(now - waiter.began)
            waiter.error = copy_error(error)
            waiter.gate.open()

    def _waited(self, seconds: float) -> None:
        self._uncounted.append(seconds)
        if len(self._uncounted) >= _COUNTED_TOGETHER:
            self._count()

    def _count(self) -> None:
        for seconds in self._uncounted:
            self._waits.observe(seconds)
        self._uncounted.clear()
