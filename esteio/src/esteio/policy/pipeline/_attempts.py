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
from esteio.policy._errors import DeadlineExceeded, PolicyError, Rejected
from esteio.policy._policy import Bound
from esteio.policy._scope import SCOPE, leave
from esteio.policy._waits import pause, pause_async
from esteio.policy.breaker._circuit import Circuit
from esteio.policy.bulkhead._execution import Compartment
from esteio.policy.deadline._execution import TotalTime
from esteio.policy.pipeline._fused import ORDER
from esteio.policy.retry._execution import Retrying
from esteio.policy.retry._run import RetryRun
from esteio.policy.timeout._execution import TimeLimit
from esteio.policy.timeout._watch import UnderWatch

__all__ = ["Attempt", "Attempting"]


class Attempting:
    """The attempts of one block: made anew each time the block is reached, used by `for` or `async for` once."""

    def __init__(self, name: str, bounds: Sequence[Bound[Any]], clock: Clock) -> None:
        ranks = [ORDER.index(type(bound)) if type(bound) in ORDER else -1 for bound in bounds]
        if -1 in ranks or ranks != sorted(set(ranks)):
            msg = (
                f"pipeline {name!r}: attempts() guards blocks by Deadline, Retry, CircuitBreaker, Bulkhead and "
                "Timeout in this order; use call() for other pipelines"
            )
            raise TypeError(msg)
        parts: dict[type, Any] = {type(bound): bound for bound in bounds}
        self.name = name
        self.deadline: TotalTime | None = parts.get(TotalTime)
        self.retry: Retrying | None = parts.get(Retrying)
        self.circuit: Circuit | None = parts.get(Circuit)
        self.bulkhead: Compartment | None = parts.get(Compartment)
        self.timeout: TimeLimit | None = parts.get(TimeLimit)
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
    def _clipped(deadline: TotalTime) -> tuple[float, Any, bool]:
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
        self.run = self.run or self.retry.start()
        self._wait = self.retry.next_wait(self.run, error, self.scope)
        return self._wait is not None

    def succeeded(self) -> None:
        """The block came to its end."""
        if self.retry is not None and self.run is not None:
            self.retry.recovered(self.run, None)

    def _attempt(self) -> Attempt:
        self._wait = None
        return Attempt(self, 1 if self.run is None else self.run.attempt)

    def __iter__(self) -> Iterator[Attempt]:
        while self._wait is not None:
            if self._wait:
                pause(self._clock, self._wait)
            yield self._attempt()

    async def __aiter__(self) -> AsyncIterator[Attempt]:
        while self._wait is not None:
            if self._wait:
                await pause_async(self._clock, self._wait)
            yield self._attempt()


class Attempt:
    """One attempt at the block; `number` counts from 1."""

    def __init__(self, attempting: Attempting, number: int) -> None:
        self.number = number
        self._of = attempting
        self._held = ExitStack()
        self._watch: UnderWatch | None = None
        self._left = inf

    # -- entering, outermost first; leaving in reverse

    def __enter__(self) -> Attempt:
        try:
            self._admit()
            if self._of.bulkhead is not None:
                self._held.callback(self._of.bulkhead.enter().give_back)
        except BaseException as error:
            self._give_back(error)
            self._show_real(error)
            raise
        return self

    async def __aenter__(self) -> Attempt:
        try:
            self._admit()
            if self._of.bulkhead is not None:
                self._held.callback((await self._of.bulkhead.enter_async()).give_back)
            self._start_watch()
        except BaseException as error:
            self._give_back(error)
            self._show_real(error)
            raise
        return self

    def _admit(self) -> None:
        of = self._of
        self._held.callback(leave, SCOPE.set(of.scope))
        if of.left() <= 0:
            raise DeadlineExceeded(of.name) if of.deadline is None else of.deadline.passed()
        if of.circuit is not None:
            self._held.enter_context(of.circuit.permit())

    def _show_real(self, error: BaseException) -> None:
        """A rejection after failed attempts does not hide why they failed."""
        run = self._of.run
        if run is not None and isinstance(error, Rejected) and run.real is not None:
            raise run.real

    def _start_watch(self) -> None:
        limit = self._of.timeout or self._of.deadline
        if limit is not None:
            self._left = self._of.left()
            self._watch = UnderWatch(limit.watches, limit.now(), self._left)

    def _give_back(self, error: BaseException | None) -> None:
        self._held.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)

    def _settle(self, error: BaseException | None) -> bool:
        self._give_back(error)
        if error is None:
            self._of.succeeded()
        return isinstance(error, Exception) and self._of.again(error)

    def __exit__(self, _type: object, error: BaseException | None, _trace: TracebackType | None) -> bool:
        return self._settle(error)

    async def __aexit__(self, _type: object, error: BaseException | None, _trace: TracebackType | None) -> bool:
        own = self._stop_watch(error)
        if own is None:
            return self._settle(error)
        if self._settle(own):
            return True
        raise own from error

    def _stop_watch(self, error: BaseException | None) -> PolicyError | None:
        watch, of = self._watch, self._of
        if watch is None:
            return None
        try:
            if not isinstance(error, CancelledError) or not watch.expired():
                return None
        finally:
            watch.end()
        if of.timeout is not None:
            return of.timeout.timed_out(self._left)
        return None if of.deadline is None else of.deadline.passed()
