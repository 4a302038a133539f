"""Bulkhead: definition, and a bulkhead at work for threads and tasks alike: both stand in one line.

Promises: a slot is given back however the call ends, and to the slots it came from; a waiter that is
cancelled or gives up leaves neither its ticket nor a slot behind.
"""

from __future__ import annotations

from asyncio import CancelledError, get_running_loop
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event as ThreadEvent
from threading import Lock
from typing import Any, ClassVar

from esteio import events
from esteio.policy._errors import BulkheadFull, DeadlineExceeded, Rejected
from esteio.policy._events import CallRejected, LimitChanged
from esteio.policy._forks import renew_after_fork
from esteio.policy._parameters import count, name_or_none, seconds
from esteio.policy._policy import AnyCall, Binding, Bound, Cost, Policy, Snapshot
from esteio.policy._scope import SCOPE, time_source
from esteio.policy._wake import future_and_wake
from esteio.policy.bulkhead._adaptive import AIMD, Gradient, LimitState
from esteio.policy.bulkhead._slots import Slots, Ticket

__all__ = ["BoundBulkhead", "Bulkhead"]


@dataclass(frozen=True, slots=True)
class Bulkhead(Policy):
    """At most `limit` calls at once, so that one slow dependency can't take all threads or connections.

    `limit` is a number, or AIMD(...) or Gradient(...) to find it from latency. Up to `queue` callers wait, each
    at most `wait` seconds or what the deadline leaves; then BulkheadFull. First come, first served. Bulkheads
    with the same `name` in one registry are one.
    """

    limit: int | AIMD | Gradient = 10
    queue: int = 0
    wait: float = 1.0
    name: str | None = None

    kind: ClassVar[str] = "bulkhead"

    def __post_init__(self) -> None:
        if not isinstance(self.limit, AIMD | Gradient):
            count("Bulkhead", "limit", self.limit)
        count("Bulkhead", "queue", self.queue, 0)
        seconds("Bulkhead", "wait", self.wait)
        name_or_none("Bulkhead", self.name)

    def worst(self, inner: Cost) -> Cost:
        """The wait in the queue on top."""
        return Cost(inner.calls, inner.seconds + (self.wait if self.queue else 0.0))

    def bind(self, binding: Binding) -> BoundBulkhead:
        """The live half."""
        return BoundBulkhead(self, binding)


class BoundBulkhead(Bound[Bulkhead]):
    """The live half of a `Bulkhead`."""

    def __init__(self, definition: Bulkhead, binding: Binding) -> None:
        super().__init__(definition, binding)
        self.now = time_source(binding.clock)
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
        """Another limit: calls under way go on, also above it. An adaptive limit stays where it is if it is the same."""
        with self._lock:  # learn() resizes too
            same = definition.limit == self.definition.limit
            self.definition = definition
            self.slots.resize(self.slots.limit if same else self._first_limit(definition), definition.queue)

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
        woken, wake = future_and_wake()
        ticket = self._queue(slots, wake)
        timer = get_running_loop().call_later(patience, wake)
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

    def learn(self, took: float, error: BaseException | None) -> None:
        """Let an adaptive limit see how a call went, when that says something about what was called.

        A time limit of its own and the network's errors say that it is overloaded. A call that its caller's deadline
        cut says that it would have taken longer still. The caller's cancellation and our own rejections say nothing,
        other errors are answers.
        """
        cut = isinstance(error, DeadlineExceeded) or (isinstance(error, CancelledError) and _time_is_up())
        if not cut and (isinstance(error, Rejected) or (error is not None and not isinstance(error, Exception))):
            return
        with self._lock:
            if self.adaptive is None:
                return
            before = self.slots.limit
            in_use = self.slots.taken()
            seen = self.adaptive
            after = seen.cut(took, in_use) if cut else seen.sample(took, in_use, isinstance(error, OSError))
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
                began = self.now()
                try:
                    result = call(*args, **kwargs)
                except BaseException as error:
                    self.learn(self.now() - began, error)
                    raise
                self.learn(self.now() - began, None)
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
                    return await (call(*args, **kwargs) if kwargs else call(*args))
                began = self.now()
                try:
                    result = await call(*args, **kwargs)
                except BaseException as error:
                    self.learn(self.now() - began, error)
                    raise
                self.learn(self.now() - began, None)
                return result
            finally:
                slots.give_back()

        return limited


def _time_is_up() -> bool:
    """Whether the deadline of the running call has passed."""
    expires, now, _ = SCOPE.get()
    return expires <= now()
