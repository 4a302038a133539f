"""Time limits around plain and coroutine functions.

Promises: running out of time and being cancelled by somebody else are two different ends, also when both
happen at once (then cancellation wins); nothing of a call stays behind, however it ends.
"""

from __future__ import annotations

from asyncio import CancelledError
from typing import Any

from esteio import events
from esteio.policy._errors import DeadlineExceeded, PolicyError, TimeoutExceeded
from esteio.policy._events import CallTimedOut, LateResult
from esteio.policy._forks import renew_after_fork
from esteio.policy._policy import AnyCall, Binding, Bound, Snapshot
from esteio.policy._scope import SCOPE, leave, time_source
from esteio.policy.timeout._abandon import Abandoning
from esteio.policy.timeout._definition import Timeout
from esteio.policy.timeout._watch import UnderWatch, Watches

__all__ = ["TimeLimit"]


class TimeLimit(Bound[Timeout]):
    """The live half of a `Timeout`."""

    def __init__(self, definition: Timeout, binding: Binding) -> None:
        super().__init__(definition, binding)
        self.now = time_source(binding.clock)
        self.watches = Watches(definition.seconds, self.now)
        self.exceeded = 0
        self._abandoning = Abandoning(self.name, self.now)
        renew_after_fork(self)

    def snapshot(self) -> Snapshot:
        """Calls stopped, threads abandoned that still run, calls under way on the loop used last."""
        watch = self.watches.current
        running = 0 if watch is None else len(watch.pending)
        values = {"exceeded": self.exceeded, "abandoned": self._abandoning.running, "running": running}
        return Snapshot("timeout", self.name, {**values})

    def reconfigure(self, definition: Timeout) -> None:
        """Another limit for the calls that begin from now on."""
        self.definition = definition
        self.watches = Watches(definition.seconds, self.now)

    def renew(self) -> None:
        """After a fork: other loops, no threads."""
        self.watches.forget()
        self._abandoning = Abandoning(self.name, self.now)

    def timed_out(self, left: float) -> PolicyError:
        """The error for a call that took too long, counted and told; the deadline is to blame if it left less."""
        limit = self.definition.seconds
        if left < limit:
            return DeadlineExceeded(self.name)
        self.exceeded += 1
        if events.active():
            events.emit(CallTimedOut(self.name, "timeout", limit))
        return TimeoutExceeded(self.name, limit)

    def wrap_async(self, call: AnyCall) -> AnyCall:
        """Limit a coroutine function."""
        if self.definition.abandon:
            msg = (
                f"Timeout of {self.name!r}: abandon=True is for plain functions; coroutines are cancelled, leave it out"
            )
            raise TypeError(msg)

        async def limited(*args: Any, **kwargs: Any) -> Any:
            outer = SCOPE.get()
            left = outer[0] - outer[1]()
            if left <= 0:
                raise DeadlineExceeded(self.name)
            watch = UnderWatch(self.watches, self.now(), left)
            try:
                return await call(*args, **kwargs)
            except CancelledError as cancelled:
                if watch.expired():
                    raise self.timed_out(left) from cancelled
                raise
            finally:
                watch.end()

        return limited

    def wrap(self, call: AnyCall) -> AnyCall:
        """Tell a plain function its limit, or abandon it if asked to."""

        def limited(*args: Any, **kwargs: Any) -> Any:
            outer = SCOPE.get()
            left = outer[0] - outer[1]()
            if left <= 0:
                raise DeadlineExceeded(self.name)
            began = self.now()
            limit = min(self.definition.seconds, left)
            token = SCOPE.set((began + limit, self.now, outer[2]))
            try:
                if self.definition.abandon:
                    return self._abandoning.run(call, args, kwargs, limit, self.definition)
                return call(*args, **kwargs)
            except (DeadlineExceeded, TimeoutExceeded) as error:
                if self.now() - began < limit:
                    raise  # somebody else's time was up
                raise self._ours(error, left) from error
            finally:
                leave(token)
                self._tell_if_late(began)

        return limited

    def _ours(self, error: Exception, left: float) -> PolicyError:
        own = self.timed_out(left)
        if isinstance(own, TimeoutExceeded) and isinstance(error, TimeoutExceeded):
            own.abandoned = error.abandoned
        return own

    def _tell_if_late(self, began: float) -> None:
        if events.active() and self.now() - began > self.definition.seconds:
            events.emit(LateResult(self.name, self.definition.seconds, self.now() - began))
