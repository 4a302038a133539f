"""Several pieces of work at the same time, which succeed or end run_parallel.

Promises: all are done, or the first error - an interrupt included - ends the others, waits for them, and is raised.
Each piece stays in one thread from its begin to its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from esteio.backup._progress import Progress

__all__ = ["Counting", "Halt", "run_parallel"]

_LOOK = 0.5  # seconds after which an interrupt is seen where waiting for a lock hides it


class Halt:
    """Ends what is under way after the `first` error."""

    def __init__(self) -> None:
        self.first: BaseException | None = None
        self._lock = threading.Lock()
        self._ends: list[Callable[[], object]] = []

    @contextmanager
    def ends(self, end: Callable[[], object]) -> Iterator[None]:
        """Inside, `end` is called, from another thread, when others fail; at once when they have already."""
        with self._lock:
            late = self.first is not None
            self._ends.append(end)
        try:
            if late:
                end()
            yield
        finally:
            with self._lock:
                self._ends.remove(end)

    def call(self, error: BaseException) -> None:
        """End everything because of `error`."""
        with self._lock:
            self.first = self.first or error
            ends = list(self._ends)
        for end in ends:
            end()


def run_parallel(calls: Sequence[Callable[[Halt], Any]], at_once: int | None = None) -> list[Any]:
    """What each of `calls` returns, at most `at_once` of them at the same time (None: all)."""
    halt = Halt()
    with ThreadPoolExecutor(at_once or len(calls), "esteio dump") as pool:
        futures = [pool.submit(_run, call, halt) for call in calls]
        try:
            while wait(futures, _LOOK).not_done:
                pass
        except BaseException as error:
            halt.call(error)
            raise
    if halt.first is not None:
        raise halt.first
    return [future.result() for future in futures]


def _run(call: Callable[[Halt], Any], halt: Halt) -> Any:
    if halt.first is not None:
        return None
    try:
        return call(halt)
    except BaseException as error:
        halt.call(error)
        raise


class Counting:
    """The bytes of several streams, told as one step, one at a time."""

    def __init__(self, progress: Progress, step: str, total: int = 0) -> None:
        self._progress = progress
        self._step = step
        self._total = total
        self._lock = threading.Lock()
        self._done = 0

    def more(self, size: int) -> None:
        """So many bytes more are done."""
        with self._lock:
            self._done += size
            self._progress(self._step, self._done, self._total, "bytes")
