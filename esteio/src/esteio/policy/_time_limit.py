"""What Timeout and Deadline share; for coroutines, one timer for all tasks that run under the same limit.

Calls under one limit expire in the order in which they began, so a dict in order of arrival and a single
timer serve them all. The timer stays armed after the last call ends, at most for one limit, and is then
gone; it holds nothing but its watch. A watch belongs to one event loop and is used in its thread only.

Running out of time and being cancelled by somebody else are told apart as `asyncio.timeout` does it: by the
task's count of cancellations before and after. When both happen at once, the other's cancellation wins.
"""

from __future__ import annotations

from abc import abstractmethod
from asyncio import AbstractEventLoop, CancelledError, Task, TimerHandle, current_task
from collections.abc import Callable
from math import inf
from threading import get_ident
from typing import Any, TypeVar

from esteio.policy._errors import DeadlineExceeded, PolicyError
from esteio.policy._forks import renew_after_fork
from esteio.policy._policy import AnyCall, Binding, Bound, Policy
from esteio.policy._scope import OPEN_END, SCOPE, leave, time_source

__all__ = ["EARLY", "BoundTimeLimit", "TimeLimit", "UnderWatch", "Watch", "Watches"]

AnyTask = Task[Any]

EARLY = 1e-6  # seconds: `now + (end - now)` may differ from `end` by rounding, and a timer fires a tick early


def running_task() -> AnyTask:
    """The task that runs; RuntimeError outside of asyncio tasks."""
    task = current_task()
    if task is None:
        msg = "time limits need an asyncio task around them; call this from a coroutine that a task runs"
        raise RuntimeError(msg)
    return task


class Watch:
    """Tasks in order of their end, on one loop."""

    __slots__ = ("_idle", "_now", "alone", "limit", "loop", "pending", "thread", "timer")

    def __init__(
        self, loop: AbstractEventLoop, limit: float, now: Callable[[], float], idle: Callable[[], None] | None
    ) -> None:
        self.alone = idle is None  # serves a single call, which drops the timer when it ends
        self.loop = loop
        self.thread = get_ident()  # a loop may be run by another thread later; then this watch is looked up again
        self.limit = limit
        self.pending: dict[AnyTask, float] = {}
        self.timer: TimerHandle | None = None
        self._now = now
        self._idle = idle

    def arm(self, ends: float) -> None:
        """Have the timer fire at `ends`, in seconds of our clock."""
        self.timer = self.loop.call_later(max(0.0, ends - self._now()), self._fire)

    def _fire(self) -> None:
        self.timer = None
        now = self._now()
        late = []
        for task, ends in self.pending.items():
            if ends > now:
                break
            late.append(task)
        for task in late:
            del self.pending[task]
            task.cancel()
        for ends in self.pending.values():
            self.arm(ends)
            return
        if self._idle is not None:
            self._idle()

    def release(self, task: AnyTask, cancels: int) -> bool:
        """`task` is under this limit no more; whether we cancelled it, and nobody else did.

        `cancels` is how often its cancellation had been requested when it came. Must be called exactly once.
        """
        expired = self.pending.pop(task, None) is None and task.uncancel() <= cancels
        if self.alone and self.timer is not None:
            self.timer.cancel()
            self.timer = None
        return expired


class Watches:
    """The watch of the running loop for one limit; forgets a loop when nothing runs there any more."""

    __slots__ = ("current", "limit", "now", "others")

    def __init__(self, limit: float, now: Callable[[], float]) -> None:
        self.limit = limit
        self.current: Watch | None = None
        self.others: dict[int, Watch] = {}
        self.now = now

    def of(self, task: AnyTask, left: float) -> Watch:
        """The shared watch of the task's loop; one of its own where `left` is less, or it is under this limit already.

        A call with less time than the others, or a second one of the same task, does not end in their order.
        """
        loop = task.get_loop()
        if left < self.limit:
            return Watch(loop, left, self.now, None)
        watch = self.current
        if watch is None or watch.loop is not loop:
            watch = self.others.get(id(loop))
            if watch is None or watch.loop is not loop:
                watch = self._new(loop)
            self.current = watch
        watch.thread = get_ident()
        return Watch(loop, self.limit, self.now, None) if task in watch.pending else watch

    def _new(self, loop: AbstractEventLoop) -> Watch:
        def idle() -> None:
            self.others.pop(id(loop), None)
            current = self.current
            if current is watch:
                self.current = None

        for key, other in self.others.copy().items():
            if other.loop.is_closed():  # it ended before its timer fired
                self.others.pop(key, None)
        watch = Watch(loop, self.limit, self.now, idle)
        self.others[id(loop)] = watch
        return watch

    def forget(self) -> None:
        """After a fork: the loops of the parent are not ours."""
        self.current = None
        self.others = {}


class UnderWatch:
    """The running task under a limit, for blocks of code; `end()` must follow."""

    __slots__ = ("_cancels", "_task", "_watch")

    def __init__(self, watches: Watches, left: float) -> None:
        self._task = task = running_task()
        self._watch = watch = watches.of(task, left)
        self._cancels = task.cancelling()
        watch.pending[task] = ends = watches.now() + watch.limit
        if watch.timer is None:
            watch.arm(ends)

    def end(self) -> bool:
        """Leave nothing behind; whether time was up, and nobody else cancelled the task."""
        return self._watch.release(self._task, self._cancels)


class TimeLimit(Policy):
    """Base of the definitions of Timeout and Deadline."""

    __slots__ = ()
    seconds: float


D = TypeVar("D", bound=TimeLimit)


class BoundTimeLimit(Bound[D]):
    """What Timeout and Deadline share: both limit, both show the limit to what runs inside; their errors differ.

    An error about time that comes from inside after our limit is our own: what ran there saw our limit, as a
    clipped wait or through `remaining()`, and stopped by itself.
    """

    inner_errors: tuple[type[PolicyError], ...] = (DeadlineExceeded,)

    def __init__(self, definition: D, binding: Binding) -> None:
        super().__init__(definition, binding)
        self.now = time_source(binding.clock)
        self.watches = Watches(definition.seconds, self.now)
        self.exceeded = 0
        renew_after_fork(self)

    def reconfigure(self, definition: D) -> None:
        """Another limit for the calls that begin from now on."""
        self.definition = definition
        self.watches = Watches(definition.seconds, self.now)

    def renew(self) -> None:
        """After a fork: other loops."""
        self.watches.forget()

    @abstractmethod
    def not_begun(self) -> DeadlineExceeded:
        """The error for a call that would begin when time is up already."""

    @abstractmethod
    def passed(self, limit: float, left: float, inside: PolicyError | None = None) -> PolicyError:
        """The error for a call that was stopped after `limit` seconds, or after `left` where the scope left less.

        `inside` is the error about time by which a plain function ended.
        """

    def run_plain(self, call: AnyCall, args: Any, kwargs: Any, limit: float) -> Any:  # noqa: ARG002 - Timeout needs it
        """Call a plain function that may take `limit` seconds."""
        return call(*args, **kwargs)

    def wrap(self, call: AnyCall) -> AnyCall:
        """Show a plain function, and the policies inside, when its time is up; nothing is stopped."""

        def limited(*args: Any, **kwargs: Any) -> Any:
            outer = SCOPE.get()
            left = outer[0] - outer[1]()
            full = self.definition.seconds
            limit = min(full, left)
            if limit <= 0:
                raise self.not_begun()
            ends = self.now() + limit
            token = SCOPE.set((ends, self.now, outer[2]))
            try:
                return self.run_plain(call, args, kwargs, limit)
            except self.inner_errors as error:
                if self.now() < ends - EARLY:
                    raise  # somebody else's time was up
                raise self.passed(full, left, error) from error
            finally:
                leave(token)

        return limited

    def wrap_async(self, call: AnyCall) -> AnyCall:
        """Limit a coroutine function: it is cancelled when time is up."""
        now, scope, enter, restore = self.now, SCOPE.get, SCOPE.set, SCOPE.reset

        async def limited(*args: Any, **kwargs: Any) -> Any:
            outer = scope()
            left = inf if outer is OPEN_END else outer[0] - outer[1]()
            if left <= 0:
                raise self.not_begun()
            watches = self.watches
            watch = watches.current  # the usual case of watches.of(), without the call
            # Asking for the task of a given loop is cheap; asking which loop runs is a system call before Python 3.12.
            task = current_task(watch.loop) if watch is not None and watch.thread == get_ident() else None
            if task is None or watch is None or left < watch.limit or task in watch.pending:
                task = running_task()
                watch = watches.of(task, left)
            cancels, pending = task.cancelling(), watch.pending
            pending[task] = ends = now() + watch.limit
            if watch.timer is None:
                watch.arm(ends)
            token = enter((ends, now, outer[2]))
            try:
                result = await (call(*args, **kwargs) if kwargs else call(*args))
            except BaseException as error:
                leave(token)
                expired = watch.release(task, cancels) and isinstance(error, CancelledError)
                if expired or (isinstance(error, self.inner_errors) and now() >= ends - EARLY):
                    raise self.passed(watches.limit, left) from error
                raise
            restore(token)
            if watch.alone or pending.pop(task, None) is None:
                watch.release(task, cancels)  # it was cancelled by us, and finished all the same
            return result

        return limited
