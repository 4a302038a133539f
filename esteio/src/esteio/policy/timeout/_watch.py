"""One timer for all tasks that run under the same time limit.

Calls under one limit expire in the order in which they began, so a dict in order of arrival and a single
timer serve them all. The timer stays armed after the last call ends, at most for one limit, and is then
gone; it holds nothing but this watch. A watch belongs to one event loop and is used in its thread only.

Running out of time and being cancelled by somebody else are told apart as `asyncio.timeout` does it: by the
task's count of cancellations before and after. When both happen at once, the other's cancellation wins.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Task, TimerHandle, current_task
from collections.abc import Callable
from typing import Any

__all__ = ["UnderWatch", "Watch", "Watches"]

AnyTask = Task[Any]


def running_task() -> AnyTask:
    """The task that runs; RuntimeError outside of asyncio tasks."""
    task = current_task()
    if task is None:
        msg = "time limits need an asyncio task around them; call this from a coroutine that a task runs"
        raise RuntimeError(msg)
    return task


class Watch:
    """Tasks in order of their end, on one loop."""

    __slots__ = ("_idle", "_now", "alone", "limit", "loop", "pending", "timer")

    def __init__(
        self, loop: AbstractEventLoop, limit: float, now: Callable[[], float], idle: Callable[[], None] | None
    ) -> None:
        self.alone = idle is None  # serves a single call, which drops the timer when it ends
        self.loop = loop
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

    def stop(self) -> None:
        """Drop the timer at once."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Watches:
    """The watch of the running loop for one limit; forgets a loop when nothing runs there any more."""

    __slots__ = ("current", "limit", "now", "others")

    def __init__(self, limit: float, now: Callable[[], float]) -> None:
        self.limit = limit
        self.current: Watch | None = None
        self.others: dict[int, Watch] = {}
        self.now = now

    def of(self, task: AnyTask) -> Watch:
        """The shared watch of the task's loop, or a watch of its own when the task is under this limit already."""
        loop = task.get_loop()
        watch = self.current
        if watch is None or watch.loop is not loop:
            watch = self.others.get(id(loop))
            if watch is None or watch.loop is not loop:
                watch = self._new(loop)
            self.current = watch
        if task in watch.pending:
            return self.alone(task, self.limit)
        return watch

    def alone(self, task: AnyTask, limit: float) -> Watch:
        """A watch for a single call, whose time does not follow the order of the others."""
        return Watch(task.get_loop(), limit, self.now, None)

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
    """The running task under a limit. `end()` must follow; `expired()` may come before it, on a CancelledError."""

    __slots__ = ("_cancels", "_settled", "_task", "_watch", "ends")

    def __init__(self, watches: Watches, now: float, left: float) -> None:
        self._task = task = running_task()
        self._watch = watch = watches.of(task) if left >= watches.limit else watches.alone(task, left)
        self._cancels = task.cancelling()
        self._settled = False
        self.ends = watch.pending[task] = ends = now + watch.limit
        if watch.timer is None:
            watch.arm(ends)

    def expired(self) -> bool:
        """Whether the CancelledError now being handled means that time is up, and nothing else."""
        self._settled = True
        ours = self._watch.pending.pop(self._task, None) is None
        return ours and self._task.uncancel() <= self._cancels

    def end(self) -> None:
        """Leave nothing behind."""
        watch = self._watch
        if not self._settled and watch.pending.pop(self._task, None) is None:
            self._task.uncancel()  # it was cancelled by us, and finished all the same
        if watch.alone:
            watch.stop()
