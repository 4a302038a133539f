"""Timeout: real for coroutine functions, cooperative or by abandoning for plain ones.

Promises: running out of time and being cancelled by somebody else are two different ends, also when both
happen at once (then cancellation wins); what runs inside sees the limit as a deadline; nothing of a call stays
behind, however it ends - but a plain function that is abandoned goes on in its thread, is counted while it
does, and does not keep the process from exiting.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any, ClassVar

from esteio import events
from esteio.policy._errors import BulkheadFull, DeadlineExceeded, PolicyError, TimeoutExceeded
from esteio.policy._events import CallTimedOut, LateResult
from esteio.policy._parameters import count, flag, name_or_none, seconds
from esteio.policy._policy import AnyCall, Binding, Cost, Snapshot
from esteio.policy._time_limit import BoundTimeLimit, TimeLimit

__all__ = ["BoundTimeout", "Timeout"]


@dataclass(frozen=True, slots=True)
class Timeout(TimeLimit):
    """At most `seconds` for one call, or what is left of the deadline around it.

    Coroutine functions are cancelled and TimeoutExceeded is raised. Plain functions can't be stopped: they
    can ask `deadline.remaining()` and `deadline.check()`, and a late result is kept. With `abandon=True` a
    plain function runs in a thread that is walked away from when time is up; it goes on running, and at most
    `abandoned_max` such threads may exist before calls are rejected with BulkheadFull.
    """

    seconds: float
    abandon: bool = False
    abandoned_max: int = 16
    name: str | None = None

    kind: ClassVar[str] = "timeout"

    def __post_init__(self) -> None:
        seconds("Timeout", "seconds", self.seconds)
        flag("Timeout", "abandon", self.abandon)
        count("Timeout", "abandoned_max", self.abandoned_max)
        name_or_none("Timeout", self.name)

    def worst(self, inner: Cost) -> Cost:
        """No more than `seconds` (for plain functions only if they cooperate)."""
        return Cost(inner.calls, min(inner.seconds, self.seconds))

    def bind(self, binding: Binding) -> BoundTimeout:
        """The live half."""
        return BoundTimeout(self, binding)


class BoundTimeout(BoundTimeLimit[Timeout]):
    """The live half of a `Timeout`."""

    inner_errors = (DeadlineExceeded, TimeoutExceeded)

    def __init__(self, definition: Timeout, binding: Binding) -> None:
        super().__init__(definition, binding)
        self._threads = AbandonableThreads(self.name)

    def snapshot(self) -> Snapshot:
        """Calls stopped, threads abandoned that still run, calls under way on the loop used last."""
        watch = self.watches.current
        running = 0 if watch is None else len(watch.pending)
        values = {"exceeded": self.exceeded, "abandoned": self._threads.abandoned, "running": running}
        return Snapshot("timeout", self.name, {**values})

    def renew(self) -> None:
        """After a fork: other loops, no threads."""
        super().renew()
        self._threads = AbandonableThreads(self.name)

    def not_begun(self) -> DeadlineExceeded:
        """The deadline around it has passed."""
        return DeadlineExceeded(self.name)

    def passed(self, limit: float, left: float, inside: PolicyError | None = None) -> PolicyError:
        """The error for a call that took too long, counted and told; the deadline is to blame if it left less."""
        if left < limit:
            return DeadlineExceeded(self.name)
        self.exceeded += 1
        if events.active():
            events.emit(CallTimedOut(self.name, "timeout", limit))
        return TimeoutExceeded(self.name, limit, isinstance(inside, TimeoutExceeded) and inside.abandoned)

    def run_plain(self, call: AnyCall, args: Any, kwargs: Any, limit: float) -> Any:
        """Call a plain function, in a thread that can be abandoned if asked to; tell when it came back late."""
        made = self.definition
        if made.abandon:
            return self._threads.run(call, args, kwargs, limit, made.abandoned_max)
        began = self.now()
        try:
            return call(*args, **kwargs)
        finally:
            if events.active() and self.now() - began > made.seconds:
                events.emit(LateResult(self.name, made.seconds, self.now() - began))

    def wrap_async(self, call: AnyCall) -> AnyCall:
        """Limit a coroutine function."""
        if self.definition.abandon:
            msg = (
                f"Timeout of {self.name!r}: abandon=True is for plain functions; coroutines are cancelled, leave it out"
            )
            raise TypeError(msg)
        return super().wrap_async(call)


class _Run(Thread):
    def __init__(self, name: str, work: Callable[[], Any], done: Callable[[_Run], None]) -> None:
        super().__init__(name=f"esteio-abandonable-{name}", daemon=True)
        self._work = work
        self._done = done
        self.result: Any = None
        self.error: BaseException | None = None
        self.ended = self.left = False

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self.error = error
        finally:
            self._done(self)


class AbandonableThreads:
    """Starts threads, waits for them as long as allowed, and counts those left behind."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()
        self.abandoned = 0

    def run(self, call: AnyCall, args: Any, kwargs: Any, limit: float, most: int) -> Any:
        """The result of `call`, or TimeoutExceeded(abandoned=True) after `limit` seconds."""
        if self.abandoned >= most:
            raise BulkheadFull(self._name, most, 0, 0.0)
        context = copy_context()
        run = _Run(self._name, lambda: context.run(call, *args, **kwargs), self._ended)
        run.start()
        run.join(limit)
        with self._lock:  # "it ended" and "we left" exclude each other, so each thread left is counted once
            if not run.ended:
                run.left = True
                self.abandoned += 1
        if run.left:
            raise TimeoutExceeded(self._name, limit, abandoned=True)
        error, run.error = run.error, None  # the thread object must not hold the error that holds this frame
        try:
            if error is not None:
                raise error
            return run.result
        finally:
            error = None

    def _ended(self, run: _Run) -> None:
        with self._lock:
            run.ended = True
            if run.left:
                self.abandoned -= 1
