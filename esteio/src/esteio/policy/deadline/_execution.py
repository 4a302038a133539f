"""Deadlines around plain and coroutine functions.

Promises: what runs inside sees the deadline (`remaining()`, `check()`, clipped waits and timeouts); a
deadline and the caller's own cancellation are two different ends; the scope outside is restored.
"""

from __future__ import annotations

from asyncio import CancelledError
from typing import Any

from esteio import events
from esteio.policy._errors import DeadlineExceeded
from esteio.policy._events import CallTimedOut
from esteio.policy._forks import renew_after_fork
from esteio.policy._policy import AnyCall, Binding, Bound, Snapshot
from esteio.policy._scope import SCOPE, leave, time_source
from esteio.policy.deadline._definition import Deadline
from esteio.policy.timeout._watch import UnderWatch, Watches

__all__ = ["TotalTime"]


class TotalTime(Bound[Deadline]):
    """The live half of a `Deadline`."""

    def __init__(self, definition: Deadline, binding: Binding) -> None:
        super().__init__(definition, binding)
        self.now = time_source(binding.clock)
        self.watches = Watches(definition.seconds, self.now)
        self.exceeded = 0
        renew_after_fork(self)

    def snapshot(self) -> Snapshot:
        """Calls whose deadline passed."""
        return Snapshot("deadline", self.name, {"exceeded": self.exceeded})

    def reconfigure(self, definition: Deadline) -> None:
        """Another total for the calls that begin from now on."""
        self.definition = definition
        self.watches = Watches(definition.seconds, self.now)

    def renew(self) -> None:
        """After a fork: other loops."""
        self.watches.forget()

    def passed(self) -> DeadlineExceeded:
        """The error for a call whose time is up, counted and told."""
        self.exceeded += 1
        limit = self.definition.seconds
        if events.active():
            events.emit(CallTimedOut(self.name, "deadline", limit))
        return DeadlineExceeded(self.name, limit)

    def wrap_async(self, call: AnyCall) -> AnyCall:
        """Limit all that a coroutine function does."""

        async def limited(*args: Any, **kwargs: Any) -> Any:
            outer = SCOPE.get()
            left = outer[0] - outer[1]()
            if left <= 0:
                raise self.passed()
            watch = UnderWatch(self.watches, self.now(), left)
            token = SCOPE.set((watch.ends, self.now, outer[2]))
            try:
                return await call(*args, **kwargs)
            except CancelledError as cancelled:
                if watch.expired():
                    raise self.passed() from cancelled
                raise
            finally:
                leave(token)
                watch.end()

        return limited

    def wrap(self, call: AnyCall) -> AnyCall:
        """Show a plain function, and the policies inside, when its time is up."""

        def limited(*args: Any, **kwargs: Any) -> Any:
            outer = SCOPE.get()
            left = min(self.definition.seconds, outer[0] - outer[1]())
            if left <= 0:
                raise self.passed()
            ends = self.now() + left
            token = SCOPE.set((ends, self.now, outer[2]))
            try:
                return call(*args, **kwargs)
            except DeadlineExceeded as error:
                if self.now() < ends:
                    raise  # a shorter deadline inside
                raise self.passed() from error
            finally:
                leave(token)

        return limited
