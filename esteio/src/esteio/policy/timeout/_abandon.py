"""Plain functions in threads that are walked away from.

Promises: the caller is back when the limit is over; the thread goes on, is counted while it does, and
does not keep the process from exiting. Above the allowed number new calls are rejected.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from threading import Lock, Thread
from typing import Any

from esteio.policy._errors import BulkheadFull, TimeoutExceeded
from esteio.policy._policy import AnyCall
from esteio.policy.timeout._definition import Timeout

__all__ = ["Abandoning"]


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


class Abandoning:
    """Starts threads, waits for them as long as allowed, and counts those left behind."""

    def __init__(self, name: str, now: Callable[[], float]) -> None:
        self._name = name
        self._now = now
        self._lock = Lock()
        self.running = 0

    def run(self, call: AnyCall, args: Any, kwargs: Any, limit: float, definition: Timeout) -> Any:
        """The result of `call`, or TimeoutExceeded(abandoned=True) after `limit` seconds."""
        if self.running >= definition.abandoned_max:
            raise BulkheadFull(self._name, definition.abandoned_max, 0, 0.0)
        context = copy_context()
        run = _Run(self._name, lambda: context.run(call, *args, **kwargs), self._ended)
        run.start()
        run.join(limit)
        with self._lock:
            if not run.ended:
                run.left = True
                self.running += 1
        if run.left:
            raise TimeoutExceeded(self._name, limit, abandoned=True)
        if run.error is not None:
            raise run.error
        return run.result

    def _ended(self, run: _Run) -> None:
        with self._lock:
            run.ended = True
            if run.left:
                self.running -= 1
