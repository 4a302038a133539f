"""What the pool needs of threads: the names of asyncio's `_concurrency.py`, which says what each is for.

Promises: with that file the only difference between both flavours that is written by hand. Background threads are
daemons.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from threading import TIMEOUT_MAX, Event, RLock, Thread, Timer
from threading import Lock as _PlainLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from psycopg import waiting
from psycopg.abc import PQGen

if TYPE_CHECKING:
    from psycopg.abc import PQGenConn
    from psycopg.pq.abc import PGconn

    from esteio.postgres._pooled import PooledConnectionMixin

__all__ = [
    "INTERRUPTED",
    "Alarm",
    "Gate",
    "Lock",
    "Race",
    "Signal",
    "SocketWait",
    "TimeLimit",
    "Worker",
    "wait_to_connect",
]


R = TypeVar("R")
K = TypeVar("K")

INTERRUPTED = KeyboardInterrupt
"""What is raised in a caller who shall no longer wait."""
# Reentrant because the garbage collector may run a finalizer that gives a connection back, in any thread at any moment.
Lock = RLock
_INTERVAL = 0.1


class Gate:
    """Keeps one caller waiting until it is opened, once, or time is up."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = _PlainLock()  # locked until it is opened; an Event is three times as much work
        self._lock.acquire()

    def open(self) -> None:
        """Let the caller go on."""
        self._lock.release()

    def wait(self, timeout: float) -> None:
        """Return when it is open, after `timeout` seconds at the latest."""
        self._lock.acquire(True, min(max(0.0, timeout), TIMEOUT_MAX))


Signal = Event


class Alarm:
    """Calls `look`, which returns the seconds until it is to be called again, over and over in a thread of its own."""

    def __init__(self, look: Callable[[], float], name: str) -> None:
        self._look = look
        self._name = name
        self._early = Event()
        self._thread: Thread | None = None

    def start(self, delay: float) -> None:
        """Begin, with a first call after `delay` seconds; RuntimeError when the system has no thread for us."""
        thread = Thread(target=self._run, args=(delay,), name=self._name, daemon=True)
        thread.start()
        self._thread = thread

    def hasten(self) -> None:
        """Something is due earlier than the last call of `look` has said: call it now."""
        self._early.set()

    def stop(self) -> None:
        """No more calls."""
        self._look = _never
        self._early.set()

    def join(self, timeout: float) -> None:
        """Return when nothing of it runs any more, after `timeout` seconds at the latest."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self, pause: float) -> None:
        while pause >= 0.0:
            self._early.wait(pause)
            self._early.clear()
            pause = self._look()


def _never() -> float:
    return -1.0


class Worker:
    """Something that runs in the background: a thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: Thread | None = None

    def start(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Begin to run `function`; RuntimeError when the system has no thread for us now."""
        thread = Thread(target=function, args=arguments, name=self._name, daemon=True)
        thread.start()
        self._thread = thread

    def run(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Do it at once: a thread for something this short would be more work than the thing itself."""
        function(*arguments)

    def cancel(self) -> None:
        """A thread has to end by itself."""

    def join(self, timeout: float) -> bool:
        """Return when it has ended, after `timeout` seconds at the latest; whether it is known to have ended.

        Never of something that was `run`: its thread is the caller's.
        """
        if self._thread is None:
            return False
        self._thread.join(timeout)
        return not self._thread.is_alive()


class TimeLimit:
    """A block in which whoever waits for `conn` gets an error of the driver after `seconds`.

    Without `conn` nothing ends: a thread cannot be stopped.
    """

    __slots__ = ("_timer",)

    def __init__(self, seconds: float, conn: PooledConnectionMixin | None = None) -> None:
        self._timer = None if conn is None else Timer(seconds, conn.cut)

    def __enter__(self) -> Self:
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def expired(self) -> bool:
        """Whether this is what ended the block."""
        return False


class Race(Generic[K, R]):
    """Attempts side by side, each known by its key; who runs the race takes their results as they come.

    After `end` nobody wants a result: `refuse` is called with each that comes too late.
    """

    def __init__(self, refuse: Callable[[R], None]) -> None:
        self._refuse = refuse
        self._results: queue.SimpleQueue[tuple[K, R | Exception]] = queue.SimpleQueue()
        self._lock = _PlainLock()
        self._over = False

    def begin(self, key: K, attempt: Callable[[K], R], name: str) -> None:
        """Let one more run: `attempt(key)`."""
        try:
            Thread(target=self._run, args=(key, attempt), name=name, daemon=True).start()
        except RuntimeError as error:  # the system has no thread for us now
            self._finish(key, error)

    def next(self, timeout: float | None) -> tuple[K, R | Exception] | None:
        """The next result and whose it is; None when there is none within `timeout` seconds."""
        try:
            return self._results.get(timeout=timeout)
        except queue.Empty:
            return None

    def end(self) -> None:
        """Let the others end."""
        with self._lock:
            self._over = True
        while not self._results.empty():
            _, result = self._results.get()
            if not isinstance(result, Exception):
                self._refuse(result)

    def _run(self, key: K, attempt: Callable[[K], R]) -> None:
        result: R | Exception
        try:
            result = attempt(key)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the result
            result = error
        self._finish(key, result)

    def _finish(self, key: K, result: R | Exception) -> None:
        with self._lock:  # else a result could be put into the queue just after `end` has emptied it
            if not self._over:
                self._results.put((key, result))
                return
        if not isinstance(result, Exception):
            self._refuse(result)


class SocketWait:
    """How a connection waits for its server."""

    pgconn: PGconn

    def drive(self, gen: PQGen[R], timeout: float | None = None) -> R:
        """Drive an operation of the driver to its end; WaitTimeout after `timeout` seconds."""
        return waiting.wait(gen, self.pgconn.socket, _INTERVAL, timeout)

    def drop(self) -> None:
        """Close at once, without waiting for anybody."""
        self.pgconn.finish()


def wait_to_connect(gen: PQGenConn[R], timeout: float) -> R:
    """Drive what opens a connection to its end; WaitTimeout after `timeout` seconds."""
    return waiting.wait_conn(gen, interval=_INTERVAL, timeout=timeout)
