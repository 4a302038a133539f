"""A bulkhead at work, for threads and tasks alike: both stand in one line.

Promises: a slot is given back however the call ends, and to the slots it came from; a waiter that is
cancelled or gives up leaves neither its ticket nor a slot behind.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future, _get_running_loop, get_running_loop
from collections.abc import Callable
from threading import Event as ThreadEvent
from threading import Lock
from typing import Any

from esteio import events
from esteio.policy._errors import BulkheadFull, DeadlineExceeded
from esteio.policy._events import CallRejected, LimitChanged
from esteio.policy._forks import renew_after_fork
from esteio.policy._policy import AnyCall, Binding, Bound, Snapshot
from esteio.policy._scope import SCOPE, time_source
from esteio.policy.bulkhead._adaptive import LimitState
from esteio.policy.bulkhead._definition import Bulkhead
from esteio.policy.bulkhead._slots import Slots, Ticket

__all__ = ["Compartment"]


class Compartment(Bound[Bulkhead]):
    """The live half of a `Bulkhead`."""

    def __init__(self, definition: Bulkhead, binding: Binding) -> None:
        super().__init__(definition, binding)
        self._now = time_source(binding.clock)
        self._lock = Lock()
        self.rejected = 0
        self.adaptive: LimitState | None = None
        self.slots = Slots(self._first_limit(definition), definition.queue)
        renew_after_fork(self)

    def _first_limit(self, definition: Bulkhead) -> int:
        if isinstance(definition.limit, int):
            self.adaptive = None
            return definition.limit
        self.adaptive = definition.limit.start()
        return self.adaptive.limit

    def snapshot(self) -> Snapshot:
        """Limit now, calls under way, callers waiting, calls rejected."""
        slots = self.slots
        values = {"limit": slots.limit, "taken": slots.taken(), "waiting": len(slots.line), "rejected": self.rejected}
        return Snapshot("bulkhead", self.name, {**values})

    def reconfigure(self, definition: Bulkhead) -> None:
        """Another limit: calls under way go on, also above it."""
        self.definition = definition
        self.slots.resize(self._first_limit(definition), definition.queue)

    def renew(self) -> None:
        """After a fork: all slots are free, nobody waits."""
        self._lock = Lock()
        self.slots = Slots(self.slots.limit, self.definition.queue)

    # -- taking and giving back

    def enter(self) -> Slots:
        """Take a slot, waiting in the calling thread; raises BulkheadFull or DeadlineExceeded."""
        slots = self.slots
        if slots.take():
            return slots
        patience = self._patience()
        woken = ThreadEvent()
        ticket = self._queue(slots, woken.set)
        try:
            woken.wait(patience)
        except BaseException:
            slots.leave_line(ticket)
            raise
        if slots.claim(ticket):
            return slots
        raise self._late(slots, patience)

    async def enter_async(self) -> Slots:
        """Take a slot, waiting in the calling task; raises BulkheadFull or DeadlineExceeded."""
        slots = self.slots
        if slots.take():
            return slots
        patience = self._patience()
        loop = get_running_loop()
        woken: Future[None] = loop.create_future()
        ticket = self._queue(slots, lambda: _wake(loop, woken))
        timer = loop.call_later(patience, _set, woken)
        try:
            await woken
        except BaseException:
            slots.leave_line(ticket)
            raise
        finally:
            timer.cancel()
        if slots.claim(ticket):
            return slots
        raise self._late(slots, patience)

    def _queue(self, slots: Slots, wake: Callable[[], object]) -> Ticket:
        ticket = Ticket(wake)
        if not slots.stand_in_line(ticket):
            self._reject()
            raise BulkheadFull(self.name, slots.limit, slots.queue, 0.0)
        return ticket

    def _patience(self) -> float:
        outer = SCOPE.get()
        left = outer[0] - outer[1]()
        if left <= 0:
            raise DeadlineExceeded(self.name)
        return min(self.definition.wait, left)

    def _late(self, slots: Slots, waited: float) -> Exception:
        self._reject()
        if waited < self.definition.wait:
            return DeadlineExceeded(self.name)
        return BulkheadFull(self.name, slots.limit, slots.queue, waited)

    def _reject(self) -> None:
        self.rejected += 1
        if events.active():
            events.emit(CallRejected(self.name, "bulkhead"))

    def learn(self, took: float, failed: bool) -> None:
        """Let an adaptive limit see how a call went; `failed` by a time limit or the network, not by its own logic."""
        with self._lock:
            if self.adaptive is None:
                return
            before = self.slots.limit
            after = self.adaptive.sample(took, self.slots.taken(), failed)
            if after != before:
                self.slots.resize(after, self.definition.queue)
        if after != before and events.active():
            events.emit(LimitChanged(self.name, before, after))

    # -- wrapping

    def wrap(self, call: AnyCall) -> AnyCall:
        """Limit a plain function."""

        def limited(*args: Any, **kwargs: Any) -> Any:
            slots = self.enter()
            try:
                if self.adaptive is None:
                    return call(*args, **kwargs)
                began = self._now()
                try:
                    result = call(*args, **kwargs)
                except Exception as error:
                    self.learn(self._now() - began, isinstance(error, OSError))
                    raise
                self.learn(self._now() - began, False)
                return result
            finally:
                slots.give_back()

        return limited

    def wrap_async(self, call: AnyCall) -> AnyCall:
        """Limit a coroutine function."""

        async def limited(*args: Any, **kwargs: Any) -> Any:
            slots = self.slots
            if not slots.take():
                slots = await self.enter_async()
            try:
                if self.adaptive is None:
                    return await call(*args, **kwargs)
                began = self._now()
                try:
                    result = await call(*args, **kwargs)
                except Exception as error:
                    self.learn(self._now() - began, isinstance(error, OSError))
                    raise
                self.learn(self._now() - began, False)
                return result
            finally:
                slots.give_back()

        return limited


def _wake(loop: AbstractEventLoop, woken: Future[None]) -> None:
    if _get_running_loop() is loop:
        _set(woken)
    else:
        loop.call_soon_threadsafe(_set, woken)


def _set(woken: Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
