"""Circuit breaker: definition, and a circuit at work around plain and coroutine functions.

Promises: the lock is never held while the guarded function, a predicate or a hook runs; every permit taken
is given back, whatever ends the call; each rejection is a new exception.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from threading import Lock
from types import TracebackType
from typing import Any, ClassVar

from esteio import events
from esteio.policy._errors import NEVER_HANDLED, CircuitOpen, DeadlineExceeded, Rejected
from esteio.policy._events import CallRejected, CircuitChanged, CircuitWouldOpen
from esteio.policy._forks import renew_after_fork
from esteio.policy._parameters import ExceptionTypes, exception_types, function, name_or_none
from esteio.policy._parameters import seconds as checked_seconds
from esteio.policy._policy import AnyCall, Binding, Bound, Policy, Snapshot
from esteio.policy._scope import time_source
from esteio.policy.breaker._machine import Change, CircuitState, Machine, Permit, Thresholds

__all__ = ["Circuit", "CircuitBreaker", "ManualPermit"]

_SAYS_NOTHING = (Rejected, DeadlineExceeded, *NEVER_HANDLED)


@dataclass(frozen=True, slots=True)
class CircuitBreaker(Thresholds, Policy):
    """Stops calling what keeps failing, and finds out carefully when it is back.

    Without a `window`, `failures` consecutive failures open it. With a window, a share of `failure_rate`
    failed calls in it does, or a share of `slow_rate` calls that took `slow_after` seconds or more - calls
    still running count from then on. Open lasts `open_for` seconds, each time `open_growth` times longer up
    to `open_max`, plus up to `jitter` of it at random. Then at most `probes` calls at once are let through;
    `successes` of them close it, one failure opens it again; a probe not back after `probe_lease` seconds
    (default: `open_for`) is given up and its place is free.

    Only exceptions of `on` and not of `ignore` are failures, unless `when` refuses one (a client's error 404 is an
    answer, its 503 a failure), and results for which `result` is true. All others, cancellation and the rejections
    of other policies count neither way. Circuits with the same `name` in one registry are one circuit.
    """

    on: ExceptionTypes = (Exception,)
    ignore: ExceptionTypes = ()
    result: Callable[[Any], bool] | None = None
    name: str | None = None
    when: Callable[[Exception], bool] | None = None

    kind: ClassVar[str] = "breaker"

    def __post_init__(self) -> None:
        Thresholds.__post_init__(self)
        function("CircuitBreaker", "result", self.result)
        function("CircuitBreaker", "when", self.when)
        for name in ("on", "ignore"):
            object.__setattr__(self, name, exception_types("CircuitBreaker", name, getattr(self, name)))
        name_or_none("CircuitBreaker", self.name)

    def is_failure(self, error: BaseException) -> bool:
        """Whether `error` speaks against what was called."""
        return (
            isinstance(error, self.on)
            and not isinstance(error, _SAYS_NOTHING)
            and not isinstance(error, self.ignore)
            and (self.when is None or bool(self.when(error)))
        )

    def bind(self, binding: Binding) -> Circuit:
        """A closed circuit."""
        return Circuit(self, binding)


class Circuit(Bound[CircuitBreaker]):
    """The live half of a `CircuitBreaker`, reached as `pipeline.circuit`."""

    def __init__(self, definition: CircuitBreaker, binding: Binding) -> None:
        super().__init__(definition, binding)
        self.machine = Machine(definition, binding.random, judges_results=definition.result is not None)
        # The machine is not thread-safe. Neither hooks nor predicates run under this lock: they may call the circuit.
        self._lock = Lock()
        self._now = time_source(binding.clock)
        renew_after_fork(self)

    # -- what operators and pages use

    @property
    def state(self) -> CircuitState:
        """Where the circuit is now."""
        return self.machine.state

    def shut_for(self) -> float:
        """Seconds for which it will let nothing through; 0 when it may let the next call."""
        # Without the lock: one word is read, and a moment later it may be another anyway.
        return max(0.0, self.machine.shut_until - self._now())

    def reset(self) -> None:
        """Close it and forget everything; calls that began before no longer count."""
        self._force(CircuitState.CLOSED, "reset")

    def isolate(self) -> None:
        """FORCED_OPEN: let nothing through until `reset()`."""
        self._force(CircuitState.FORCED_OPEN, "isolated")

    def disable(self) -> None:
        """DISABLED: let everything through and count nothing until `reset()`."""
        self._force(CircuitState.DISABLED, "disabled")

    def metrics_only(self) -> None:
        """METRICS_ONLY: count, tell when it would open, but let everything through until `reset()`."""
        self._force(CircuitState.METRICS_ONLY, "metrics only")

    def suspect(self, seconds: float) -> None:
        """Others say that the dependency is down: for `seconds`, one failure of our own is enough to open."""
        for_seconds = checked_seconds("Circuit.suspect", "seconds", seconds, zero=True)
        with self._lock:
            self.machine.suspect_until = self._now() + for_seconds

    def snapshot(self) -> Snapshot:
        """State, counters since the start, seconds until the next probe."""
        with self._lock:
            m = self.machine
            waiting = m.retry_after(self._now()) if m.state in (CircuitState.OPEN, CircuitState.HALF_OPEN) else None
            return Snapshot(
                "breaker",
                self.name,
                {
                    "state": m.state,
                    "passed": m.passed,
                    "failed": m.failed,
                    "ignored": m.ignored,
                    "rejected": m.rejected,
                    "late": m.late,
                    "opened": m.opened,
                    "retry_after": waiting,
                },
            )

    def reconfigure(self, definition: CircuitBreaker) -> None:
        """Other thresholds from now on; an open circuit stays open."""
        with self._lock:
            self.definition = definition
            self.machine.redefine(definition, judges_results=definition.result is not None)

    def renew(self) -> None:
        """After a fork: a new lock; calls and probes of the parent's threads are not ours."""
        self._lock = Lock()
        self.machine.running.clear()
        self.machine.leases.clear()

    # -- permits

    def permit(self) -> ManualPermit:
        """A permit by hand, for code that no decorator fits; raises CircuitOpen."""
        return ManualPermit(self, self.acquire())

    def acquire(self) -> Permit:
        """The right to call; raises CircuitOpen."""
        machine, now = self.machine, self._now()
        if (
            now < machine.shut_until
        ):  # without the lock: a rejection is cheap, and a circuit that closes is seen next time
            machine.rejected += 1
        else:
            with self._lock:
                permit = machine.admit(now)
                changes = self._changes()
            if changes:
                self._tell(changes)
            if permit is not None:
                return permit
        if events.active():
            events.emit(CallRejected(self.name, "breaker"))
        left = machine.shut_until - now
        raise CircuitOpen(self.name, machine.state, left if 0 < left < inf else machine.retry_after(now))

    def returned(self, permit: Permit, result: object) -> None:
        """The call came back with `result`."""
        judge = self.definition.result
        self._settle(permit, failed=judge is not None and bool(judge(result)))

    def succeeded(self, permit: Permit) -> None:
        """The call came back, and its result is nobody's business."""
        self._settle(permit, failed=False)

    def raised(self, permit: Permit, error: BaseException) -> None:
        """The call ended with `error`; a predicate that raises gives the permit back before its error goes on."""
        failed = False
        try:
            failed = self.definition.is_failure(error)
        finally:
            if not failed:
                with self._lock:
                    self.machine.ignore(permit)
        if failed:
            self._settle(permit, failed=True)

    def _settle(self, permit: Permit, *, failed: bool) -> None:
        now = self._now()
        with self._lock:
            (self.machine.failure if failed else self.machine.succeeded)(permit, now)
            changes = self._changes()
        self._tell(changes)

    # -- wrapping

    def wrap(self, call: AnyCall) -> AnyCall:
        """Guard a plain function."""
        machine, acquire, returned, raised = self.machine, self.acquire, self.returned, self.raised

        def guarded(*args: Any, **kwargs: Any) -> Any:
            permit = machine.fast_permit
            if permit is None:
                permit = acquire()
            try:
                result = call(*args, **kwargs) if kwargs else call(*args)
            except BaseException as error:
                raised(permit, error)
                raise
            if machine.fast_permit is permit:
                machine.passed += 1
            else:
                _returned(permit, result, returned, raised)
            return result

        return guarded

    def wrap_async(self, call: AnyCall) -> AnyCall:
        """Guard a coroutine function."""
        machine, acquire, returned, raised = self.machine, self.acquire, self.returned, self.raised

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            permit = machine.fast_permit
            if permit is None:
                permit = acquire()
            try:
                result = await (call(*args, **kwargs) if kwargs else call(*args))
            except BaseException as error:
                raised(permit, error)
                raise
            if machine.fast_permit is permit:
                machine.passed += 1
            else:
                _returned(permit, result, returned, raised)
            return result

        return guarded

    # -- changes

    def _force(self, state: CircuitState, reason: str) -> None:
        with self._lock:
            self.machine.force(state, reason)
            changes = self._changes()
        self._tell(changes)

    def _changes(self) -> list[Change]:
        changes = self.machine.changes
        if changes:
            self.machine.changes = []
        return changes

    def _tell(self, changes: list[Change]) -> None:
        if not changes or not events.active():
            return
        for before, after, reason in changes:
            if before is after:
                events.emit(CircuitWouldOpen(self.name, reason))
                continue
            left = self.machine.retry_after(self._now()) if after is CircuitState.OPEN else None
            events.emit(CircuitChanged(self.name, before, after, reason, left))


def _returned(
    permit: Permit,
    result: object,
    returned: Callable[[Permit, object], None],
    raised: Callable[[Permit, BaseException], None],
) -> None:
    """Report a result; a predicate that raises gives the permit back before its error goes on."""
    try:
        returned(permit, result)
    except BaseException as error:
        raised(permit, error)
        raise


class ManualPermit:
    """One permitted call, told by hand: `success()`, `failure()` or `ignore()`, the first one counts.

    As a context manager it tells by itself: no exception is a success, and one is judged as the breaker's
    definition says.
    """

    def __init__(self, circuit: Circuit, permit: Permit) -> None:
        self._circuit = circuit
        self._permit: Permit | None = permit

    def success(self) -> None:
        """The call came back, with a result that is acceptable."""
        permit, self._permit = self._permit, None
        if permit is not None:
            self._circuit.succeeded(permit)

    def failure(self, error: BaseException) -> None:
        """The call ended with `error`."""
        permit, self._permit = self._permit, None
        if permit is not None:
            self._circuit.raised(permit, error)

    def ignore(self) -> None:
        """The call ended in a way that says nothing about the dependency."""
        self.failure(GeneratorExit())

    def __enter__(self) -> ManualPermit:
        return self

    def __exit__(self, _type: object, error: BaseException | None, _trace: TracebackType | None) -> None:
        if error is None:
            self.success()
        else:
            self.failure(error)
