"""`RedisStore` for threads and plain functions.

Promises: the answers of the `RedisStore` it was made of. One thread of its own talks to Redis, so what several threads
ask at once is one call; a thread waits as long as a decision may take, or a second more when that one is stuck. A
forked child starts its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, Final

from esteio.limit._decision import Decision
from esteio.limit._limit import Hit, Limit, check_hit
from esteio.limit._on_failure import on_failure
from esteio.limit.redis._store import RedisStore
from esteio.policy._forks import renew_after_fork

__all__ = ["SyncRedisStore"]

_GRACE = 1.0  # seconds a decision may take beyond its budget before its thread is held for stuck


class _Engine:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="esteio-limits", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    def stop(self) -> None:
        """End the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5.0)


class SyncRedisStore:
    """Decides by `store` from any thread; `close()` ends its thread."""

    remote: Final = True

    def __init__(self, store: RedisStore) -> None:
        self.store = store
        self._lock = Lock()  # one thread is started, however many ask first
        self._engine: _Engine | None = None
        self._patience = store.budget + _GRACE
        renew_after_fork(self)

    def renew(self) -> None:
        """In a forked child: the thread is not there, and its connection is the parent's."""
        self._lock = Lock()
        self._engine = None

    # -- what a Store does

    def hit_now(self, key: str, limit: Limit, cost: int = 1) -> Decision:
        """Decide one hit."""
        check_hit(key, cost)
        return self.decide_now((Hit(key, limit, cost),), charge=True)[0]

    def decide_now(self, hits: Sequence[Hit], *, charge: bool) -> list[Decision]:
        """Decide several hits, all or nothing."""
        try:
            decisions: list[Decision] = self._ask(lambda: self.store.decide(hits, charge=charge))
        except TimeoutError:
            return [on_failure(hit, None, "busy") for hit in hits]
        return decisions

    def refund_now(self, key: str, limit: Limit, cost: int = 1) -> None:
        """Give back `cost`."""
        check_hit(key, cost)
        with suppress(TimeoutError):  # it is done, only later
            self._ask(lambda: self.store.refund(key, limit, cost))

    def reset_now(self, key: str, limit: Limit) -> None:
        """Forget what `key` used."""
        check_hit(key, 1)
        with suppress(TimeoutError):
            self._ask(lambda: self.store.reset(key, limit))

    # -- its thread

    def close(self) -> None:
        """End the connections and the thread; a later hit begins again."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            try:
                asyncio.run_coroutine_threadsafe(self.store.close(), engine.loop).result(5.0)
            finally:  # also when that thread is stuck
                engine.stop()

    def _ask(self, begin: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """What the coroutine of `begin` returns; TimeoutError when the thread is stuck."""
        answer: Future[Any] = Future()
        engine = self._engine or self._started()
        try:
            engine.loop.call_soon_threadsafe(_step, begin, answer)
        except RuntimeError:  # another thread closed it between these two lines
            self._started(instead_of=engine).loop.call_soon_threadsafe(_step, begin, answer)
        return answer.result(self._patience)

    def _started(self, instead_of: _Engine | None = None) -> _Engine:
        with self._lock:
            if self._engine is None or self._engine is instead_of:
                self._engine = _Engine()
            return self._engine


def _step(begin: Callable[[], Coroutine[Any, Any, Any]], answer: Future[Any]) -> None:
    """Run a coroutine of the store as far as the one future it waits for, without the cost of a task."""
    coroutine = begin()
    try:
        awaited = coroutine.send(None)
    except StopIteration as done:
        answer.set_result(done.value)
    except BaseException as error:  # noqa: BLE001 - it is the caller's
        answer.set_exception(error)
    else:
        awaited.add_done_callback(lambda _: _end(coroutine, answer))


def _end(coroutine: Coroutine[Any, Any, Any], answer: Future[Any]) -> None:
    try:
        coroutine.send(None)
    except StopIteration as done:
        answer.set_result(done.value)
    except BaseException as error:  # noqa: BLE001 - it is the caller's
        answer.set_exception(error)
