"""Many small pieces of work at once, bounded.

Promises: at most `THREADS` are under way; the first error, or an interrupt, begins no more and waits for what is under
way. `tick` is called from the caller's own thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TypeVar

__all__ = ["each"]

T = TypeVar("T")
R = TypeVar("R")

THREADS = 8
_TICK = 0.2


def each(work: Callable[[T], R], items: Iterable[T], tick: Callable[[], None]) -> Iterator[R]:
    """What `work` makes of each item, in the order they are done; `tick` is called at least every 0.2 s."""
    todo, mutex, ended = iter(items), threading.Lock(), threading.Event()
    results: SimpleQueue[list[R] | BaseException | None] = SimpleQueue()

    def some() -> None:
        try:
            while not ended.is_set():
                with mutex:
                    taken = list(islice(todo, 1))
                if not taken:
                    break
                results.put([work(item) for item in taken])
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            results.put(error)
        results.put(None)

    with ThreadPoolExecutor(THREADS, "esteio documents") as pool:
        working = [pool.submit(some) for _ in range(THREADS)]
        left = len(working)
        try:
            while left:
                tick()
                try:
                    got = results.get(timeout=_TICK)
                except Empty:
                    continue
                if isinstance(got, BaseException):
                    raise got
                if got is None:
                    left -= 1
                else:
                    yield from got
        finally:
            ended.set()
