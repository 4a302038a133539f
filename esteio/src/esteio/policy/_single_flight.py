"""One call for all who ask the same at the same time (as Go's singleflight). Pure but for a short lock.

Promises: what the leading call returns or raises is given to all who wait for it. A leader that is cancelled, or
whose own deadline is over, says nothing about the others: then one of them leads, and the rest wait for that one.
Who waits and is cancelled leaves nothing behind.

A call inside its own flight - a function that asks for its own answer - is let through, not joined: it would wait
for itself.
"""

from __future__ import annotations

from asyncio import current_task
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from threading import Event as ThreadEvent
from threading import Lock, get_ident
from typing import Any, Literal

from esteio.policy._errors import DeadlineExceeded
from esteio.policy._scope import SCOPE
from esteio.policy._wake import future_and_wake

__all__ = ["Flight", "SingleFlight", "this_task", "this_thread"]


class Flight:
    """A call under way. `ended` is set once, before the waiters are woken."""

    __slots__ = ("ended", "error", "leader", "takers", "value", "waiting")

    def __init__(self, leader: object) -> None:
        self.leader = leader
        self.ended: Literal["", "answered", "abandoned"] = ""
        self.value: Any = None
        self.error: Exception | None = None
        self.waiting: list[Callable[[], object]] = []
        self.takers = 0  # waiters that have not fetched the result yet

    def result(self) -> Any:
        """What the leader's call returned, or its error raised."""
        error = self.error
        self.takers -= 1
        if self.takers <= 0:
            self.error = None  # its traceback holds this flight: no cycle for the collector
        try:
            if error is not None:
                raise error
            return self.value
        finally:
            error = None  # its traceback holds this frame: no cycle for the collector


class SingleFlight:
    """The flights of one cache, by key."""

    def __init__(self) -> None:
        # Held to join or to end a flight: without it a caller could join one that has just told its waiters, and wait
        # for ever. Never held while the call runs.
        self._lock = Lock()
        self._flights: dict[Hashable, Flight] = {}

    def renew(self) -> None:
        """After a fork: the leaders are in the parent."""
        self._lock = Lock()
        self._flights = {}

    def lead(self, key: Hashable, caller: object) -> Flight | None:
        """A flight for `caller` to lead; None when somebody else leads one. Inside its own it gets one that nobody joins."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return Flight(caller) if flight.leader == caller else None
            flight = self._flights[key] = Flight(caller)
            return flight

    @contextmanager
    def led(self, key: Hashable, flight: Flight) -> Iterator[None]:
        """Around the leader's call, which leaves its answer in `flight.value`."""
        ended: Literal["answered", "abandoned"] = "abandoned"
        try:
            yield
            ended = "answered"
        except Exception as error:
            if not isinstance(error, DeadlineExceeded):
                ended, flight.error = "answered", error
            raise
        finally:
            with self._lock:
                if self._flights.get(key) is flight:
                    del self._flights[key]
                flight.ended = ended
                waiting, flight.waiting = flight.waiting, []
                flight.takers = len(waiting)
                if not waiting:
                    flight.error = None  # as in result()
            for wake in waiting:  # after the lock: waking may run code of the waiter's loop
                wake()

    def _join(self, key: Hashable, wake: Callable[[], object]) -> Flight | None:
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                flight.waiting.append(wake)
            return flight

    def _leave(self, flight: Flight, wake: Callable[[], object]) -> None:
        with self._lock:
            if wake in flight.waiting:
                flight.waiting.remove(wake)

    def wait(self, name: str, key: Hashable) -> Flight | None:
        """Wait in the calling thread for the flight of `key`; None when it is gone, DeadlineExceeded when time is up."""
        woken = ThreadEvent()
        flight = self._join(key, woken.set)
        if flight is None:
            return None
        try:
            woken.wait(_patience())
        finally:
            self._leave(flight, woken.set)
        if not flight.ended:
            raise DeadlineExceeded(name)
        return flight

    async def wait_async(self, name: str, key: Hashable) -> Flight | None:
        """As `wait`, in the calling task."""
        woken, wake = future_and_wake()
        flight = self._join(key, wake)
        if flight is None:
            return None
        patience = _patience()
        timer = None if patience is None else woken.get_loop().call_later(patience, wake)
        try:
            await woken
        finally:
            if timer is not None:
                timer.cancel()
            self._leave(flight, wake)
        if not flight.ended:
            raise DeadlineExceeded(name)
        return flight


def _patience() -> float | None:
    expires, now, _ = SCOPE.get()
    left = expires - now()
    return None if left == float("inf") else max(0.0, left)


def this_thread() -> object:
    """Who calls, for plain functions."""
    return get_ident()


def this_task() -> object:
    """Who calls, for coroutine functions."""
    return current_task()
