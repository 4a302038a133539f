"""Retrying a block of code instead of a function.

Promises: the block runs under the same policies, in the same order, as a function would; leaving an attempt
by an exception, `return` or `break` gives everything back. The deadline limits the attempts from the moment
the loop begins; a coroutine's block is cancelled when it passes.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from math import inf
from types import TracebackType
from typing import Any

from esteio.clock import Clock
from esteio.policy._errors import DeadlineExceeded, PolicyError, Rejected, TimeoutExceeded
from esteio.policy._policy import Bound
from esteio.policy._retry import BoundRetry
from esteio.policy._retry_run import RetryRun, never_shut
from esteio.policy._scope import SCOPE, Scope, leave
from esteio.policy._test_switches import pause, pause_async
from esteio.policy._time_limit import EARLY, UnderWatch
from esteio.policy._timeout import BoundTimeout
from esteio.policy.breaker._breaker import Circuit
from esteio.policy.bulkhead._bulkhead import BoundBulkhead
from esteio.policy.bulkhead._slots import Slots
from esteio.policy.deadline import BoundDeadline

__all__ = ["Attempt", "Attempting"]

_ORDER: tuple[type[Bound[Any]], ...] = (BoundDeadline, BoundRetry, Circuit, BoundBulkhead, BoundTimeout)


class Attempting:
    """The attempts of one block: made anew each time the block is reached, used by `for` or `async for` once."""

    def __init__(self, name: str, bounds: Sequence[Bound[Any]], clock: Clock) -> None:
        ranks = [_ORDER.index(type(bound)) if type(bound) in _ORDER else -1 for bound in bounds]
        if -1 in ranks or ranks != sorted(set(ranks)):
            msg = (
                f"pipeline {name!r}: attempts() guards blocks by Deadline, Retry, CircuitBreaker, Bulkhead and "
                "Timeout in this order; use call() for other pipelines"
            )
            raise TypeError(msg)
        parts: dict[type, Any] = {type(bound): bound for bound in bounds}
        self.name = name
        self.deadline: BoundDeadline | None = parts.get(BoundDeadline)
        self.retry: BoundRetry | None = parts.get(BoundRetry)
        self.circuit: Circuit | None = parts.get(Circuit)
        self.bulkhead: BoundBulkhead | None = parts.get(BoundBulkhead)
        self.timeout: BoundTimeout | None = parts.get(BoundTimeout)
        self.run: RetryRun | None = None
        self._clock = clock
        self._wait: float | None = 0.0
        outer = SCOPE.get()
        self.scope = outer if self.deadline is None else self._clipped(self.deadline)
        self.alone = outer[2] and self.retry is not None and not self.retry.definition.nested
        if self.retry is not None:
            self.scope = (self.scope[0], self.scope[1], True)
            if self.retry.budget is not None:
                self.retry.budget.calls += 1

    @staticmethod
    def _clipped(deadline: BoundDeadline) -> Scope:
        outer = SCOPE.get()
        left = min(deadline.definition.seconds, outer[0] - outer[1]())
        return (deadline.now() + left, deadline.now, outer[2])

    def left(self) -> float:
        """Seconds until the deadline."""
        return inf if self.scope[0] == inf else self.scope[0] - self.scope[1]()

    def again(self, error: Exception) -> bool:
        """Whether another attempt follows the one that ended with `error`."""
        if self.retry is None or self.alone:
            return False
        self.run = self.run or self.retry.start(never_shut if self.circuit is None else self.circuit.shut_for)
        self._wait = self.retry.next_wait(self.run, error, self.scope)
        if self._wait is None:
            self.run.real = None  # the error's traceback holds the block, which holds this: no cycle for the collector
        return self._wait is not None

    def succeeded(self) -> None:
        """The block came to its end."""
        if self.retry is not None and self.run is not None:
            self.retry.recovered(self.run, None)
            self.run.real = None

    def _attempt(self) -> Attempt:
        self._wait = None
        return Attempt(self, 1 if self.run is None else self.run.attempt)

    # No generators: one that is left by `break` or `return` would wait for the collector, an asynchronous one with a task.

    def __iter__(self) -> Iterator[Attempt]:
        return self

    def __aiter__(self) -> AsyncIterator[Attempt]:
        return self

    def __next__(self) -> Attempt:
        if self._wait is None:
            raise StopIteration
        if self.run is not None:
            pause(self._clock, self._wait)
        return self._attempt()

    async def __anext__(self) -> Attempt:
        if self._wait is None:
            raise StopAsyncIteration
        if self.run is not None:
            await pause_async(self._clock, self._wait)
        return self._attempt()


class Attempt:
    """One attempt at the block; `number` counts from 1."""

    def __init__(self, attempting: Attempting, number: int) -> None:
        self.number = number
        self._of = attempting
        self._held = ExitStack()
        self._watch: UnderWatch | None = None
        self._slots: Slots | None = None
        self._began = self._left = self._ends = inf

    # -- entering, outermost first; leaving in reverse

    def __enter__(self) -> Attempt:
        try:
            self._admit()
            if self._of.bulkhead is not None:
                self._hold(self._of.bulkhead, self._of.bulkhead.enter())
            self._show_limit()
        except BaseException as error:
            self._give_back(error)
            self._show_real(error)
            raise
        return self

    async def __aenter__(self) -> Attempt:
        try:
            self._admit()
            if self._of.bulkhead is not None:
                self._hold(self._of.bulkhead, await self._of.bulkhead.enter_async())
            self._show_limit()
            limit = self._of.timeout or self._of.deadline
            if limit is not None:
                self._watch = UnderWatch(limit.watches, self._left)
        except BaseException as error:
            self._give_back(error)
            self._show_real(error)
            raise
        return self

    def _admit(self) -> None:
        of = self._of
        self._held.callback(leave, SCOPE.set(of.scope))
        if of.left() <= 0:
            raise DeadlineExceeded(of.name) if of.deadline is None else of.deadline.not_begun()
        if of.circuit is not None:
            self._held.enter_context(of.circuit.permit())

    def _hold(self, bulkhead: BoundBulkhead, slots: Slots) -> None:
        self._held.callback(slots.give_back)
        if bulkhead.adaptive is not None:
            self._slots, self._began = slots, bulkhead.now()

    def _show_limit(self) -> None:
        """What runs in the block sees when the attempt's time is up, as a function under a Timeout does."""
        self._left = self._of.left()
        timeout = self._of.timeout
        if timeout is not None:
            self._ends = timeout.now() + min(timeout.definition.seconds, self._left)
            self._held.callback(leave, SCOPE.set((self._ends, timeout.now, self._of.scope[2])))

    def _show_real(self, error: BaseException) -> None:
        """A rejection after failed attempts, or a wait that ended too late, does not hide why they failed."""
        run = self._of.run
        if run is not None and isinstance(error, Rejected | DeadlineExceeded) and run.real is not None:
            real, run.real = run.real, None
            try:
                raise real
            finally:
                real = None  # type: ignore[assignment] # its traceback holds this frame: no cycle for the collector

    def _give_back(self, error: BaseException | None) -> None:
        self._held.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)

    def _settle(self, error: BaseException | None) -> bool:
        of = self._of
        if self._slots is not None and of.bulkhead is not None:
            of.bulkhead.learn(of.bulkhead.now() - self._began, error)  # before the slot is given back: it is in use
        self._give_back(error)
        if error is None:
            of.succeeded()
        return isinstance(error, Exception) and of.again(error)

    def __exit__(self, _type: object, error: BaseException | None, _trace: TracebackType | None) -> bool:
        return self._leave(error, self._own(error, expired=False))

    async def __aexit__(self, _type: object, error: BaseException | None, _trace: TracebackType | None) -> bool:
        expired = self._watch is not None and self._watch.end()
        return self._leave(error, self._own(error, expired=expired and isinstance(error, CancelledError)))

    def _leave(self, error: BaseException | None, own: PolicyError | None) -> bool:
        if own is None:
            return self._settle(error)
        if self._settle(own):
            return True
        raise own from error

    def _own(self, error: BaseException | None, *, expired: bool) -> PolicyError | None:
        """Our error instead of `error`: when our timer cancelled the block, or the block saw that time was up."""
        of = self._of
        inside = isinstance(error, DeadlineExceeded | TimeoutExceeded)
        if of.timeout is not None and (expired or (inside and of.timeout.now() >= self._ends - EARLY)):
            return of.timeout.passed(of.timeout.definition.seconds, self._left)
        if of.deadline is not None and expired:
            return of.deadline.passed(of.deadline.definition.seconds, self._left)
        return None
