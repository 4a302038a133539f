"""Deadline, Retry, CircuitBreaker, Bulkhead and Timeout in one frame.

Only the usual case is handled here: nothing outside limits or retries, the circuit is calm, a slot is free,
the timer is set up, the first attempt succeeds. Everything else goes the general way through the policies'
own wrappers, which also define what happens here; the composition suite holds the two against each other.

The first attempt needs one timer only: a Timeout is never above its Deadline. The deadline gets its own
when the first attempt has failed.
"""

from __future__ import annotations

from asyncio import CancelledError, current_task
from collections.abc import Sequence
from typing import Any

from esteio.policy._policy import AnyCall, Bound
from esteio.policy._scope import OPEN_END, SCOPE, leave
from esteio.policy.breaker._circuit import Circuit
from esteio.policy.breaker._machine import Permit
from esteio.policy.bulkhead._execution import Compartment
from esteio.policy.deadline._execution import TotalTime
from esteio.policy.retry._execution import Retrying
from esteio.policy.timeout._execution import TimeLimit
from esteio.policy.timeout._watch import AnyTask, UnderWatch

__all__ = ["ORDER", "fuse"]

ORDER: tuple[type[Bound[Any]], ...] = (TotalTime, Retrying, Circuit, Compartment, TimeLimit)


class _NoCircuit:
    """Stands where there is no breaker: always calm."""

    __slots__ = ("calm", "passed")

    def __init__(self) -> None:
        self.calm = Permit(0, 0.0)
        self.passed = 0


class _Rest:
    """What follows a first attempt that did not simply succeed."""

    def __init__(self, run: Sequence[Bound[Any]], inside: AnyCall) -> None:
        parts: dict[type, Any] = {type(bound): bound for bound in run}
        self.deadline: TotalTime | None = parts.get(TotalTime)
        self.retry: Retrying | None = parts.get(Retrying)
        self.circuit: Circuit | None = parts.get(Circuit)
        self.bulkhead: Compartment | None = parts.get(Compartment)
        self.timeout: TimeLimit | None = parts.get(TimeLimit)
        self._inside = inside

    def verdict(self, task: AnyTask, cancels: int, failure: BaseException | None) -> BaseException | None:
        """The watch cancelled `task`: what `failure` is then."""
        if task.uncancel() > cancels or not isinstance(failure, CancelledError):
            return failure
        error: Exception
        if self.timeout is not None:
            error = self.timeout.timed_out(self.timeout.definition.seconds)
        elif self.deadline is not None:
            error = self.deadline.passed()
        error.__cause__ = failure
        return error

    async def go_on(self, permit: Permit, failure: BaseException | None, result: Any, args: Any, kwargs: Any) -> Any:
        """Tell the circuit, and leave the rest to the retry."""
        try:
            if self.circuit is not None:
                failure = self._tell(self.circuit, permit, failure, result)
            if self.retry is None or not (failure is None or isinstance(failure, Exception)):
                if failure is not None:
                    raise failure
                return result
            if self.deadline is None:
                return await self.retry.rest_async(self._inside, args, kwargs, failure, result)
            return await self._within_deadline(self.deadline, self.retry, failure, result, args, kwargs)
        finally:
            failure = None  # its traceback holds this frame: no cycle for the collector

    @staticmethod
    def _tell(circuit: Circuit, permit: Permit, failure: BaseException | None, result: Any) -> BaseException | None:
        if failure is not None:
            circuit.raised(permit, failure)
            return failure
        try:
            circuit.returned(permit, result)
        except BaseException as error:  # noqa: BLE001 - raised by go_on
            circuit.raised(permit, error)
            return error
        return None

    async def _within_deadline(
        self, deadline: TotalTime, retry: Retrying, failure: Exception | None, result: Any, args: Any, kwargs: Any
    ) -> Any:
        now = deadline.now()
        watch = UnderWatch(deadline.watches, now, SCOPE.get()[0] - now)
        try:
            return await retry.rest_async(self._inside, args, kwargs, failure, result)
        except CancelledError as cancelled:
            if watch.expired():
                raise deadline.passed() from cancelled
            raise
        finally:
            failure = None
            watch.end()


def fuse(run: Sequence[Bound[Any]], call: AnyCall, inside: AnyCall, general: AnyCall) -> AnyCall:  # noqa: C901
    """One frame around `call`; `inside` is `call` below the retry, `general` is `call` inside all of `run`."""
    rest = _Rest(run, inside)
    deadline, retry, bulkhead = rest.deadline, rest.retry, rest.bulkhead
    machine = _NoCircuit() if rest.circuit is None else rest.circuit.machine
    limit = rest.timeout or rest.deadline
    if limit is None:
        return general
    now, clock = limit.now, OPEN_END[1] if deadline is None else deadline.now
    retries = retry is not None
    scoped = retries or deadline is not None
    scope, enter, restore = SCOPE.get, SCOPE.set, SCOPE.reset

    async def fused(*args: Any, **kwargs: Any) -> Any:  # noqa: C901 - a single frame is the point
        task = current_task()
        watch = limit.watches.current
        permit = machine.calm
        if (
            permit is None
            or task is None
            or watch is None
            or watch.loop is not task.get_loop()
            or task in watch.pending
            or scope() is not OPEN_END
            or (bulkhead is not None and (bulkhead.adaptive is not None or not bulkhead.slots.take()))
        ):
            return await general(*args, **kwargs)
        slots = None if bulkhead is None else bulkhead.slots
        if retry is not None and retry.budget is not None:
            retry.budget.calls += 1
        began = now()
        cancels = task.cancelling()
        pending = watch.pending
        pending[task] = ends = began + watch.limit
        if watch.timer is None:
            watch.arm(ends)
        if scoped:
            token = enter((OPEN_END[0] if deadline is None else began + deadline.definition.seconds, clock, retries))
        result = failure = None
        try:
            result = await (call(*args, **kwargs) if kwargs else call(*args))
        except BaseException as error:  # noqa: BLE001 - told to the circuit and raised again by rest
            failure = error
        if pending.pop(task, None) is None:
            failure = rest.verdict(task, cancels, failure)
        if slots is not None:
            slots.give_back()
        if failure is None and machine.calm is permit and (retry is None or retry.definition.result is None):
            machine.passed += 1
            if scoped:
                restore(token)
            return result
        try:
            return await rest.go_on(permit, failure, result, args, kwargs)
        finally:
            failure = None
            if scoped:
                leave(token)

    return fused
