"""What the pool needs of asyncio. `sync/_concurrency.py` has the same names for threads.

Promises: these two files are the only difference between the flavours that is written by hand. All other modules of
`sync` are generated from the asynchronous ones by tools/async_to_sync.py. A lock is taken wherever threads need one: in
one event loop it is never contended, and costs a tenth of a microsecond, as a context would that does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from threading import RLock
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import psycopg
from psycopg import waiting
from psycopg.abc import PQGen
from psycopg.waiting import READY_NONE, READY_R, READY_W, WAIT_R, WAIT_W

from esteio.postgres._psycopg import WaitTimeout

if TYPE_CHECKING:
    from psycopg.abc import PQGenConn
    from psycopg.pq.abc import PGconn

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

INTERRUPTED = asyncio.CancelledError
"""What is raised in a caller who shall no longer wait."""
Lock = RLock
_INTERVAL = 0.1


class Gate:
    """Keeps one caller waiting until it is opened, once, or time is up."""

    __slots__ = ("_future", "_loop")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()

    def open(self) -> None:
        """Let the caller go on; nothing when it does already."""
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self, timeout: float) -> None:
        """Return when it is open, after `timeout` seconds at the latest."""
        timer = self._loop.call_later(max(0.0, timeout), self.open)
        try:
            await self._future
        finally:
            timer.cancel()


class Signal:
    """Something that has happened or has not, for which any number of callers wait."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """It has happened."""
        self._event.set()

    def clear(self) -> None:
        """It has not happened any more."""
        self._event.clear()

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._event.is_set()

    async def wait(self, timeout: float) -> bool:
        """Wait for it, for at most `timeout` seconds; whether it has happened."""
        if self._event.is_set():
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._event.wait()
        return self._event.is_set()


class Alarm:
    """Calls `look`, which returns the seconds until it is to be called again, over and over in the background."""

    def __init__(self, look: Callable[[], float], name: str) -> None:  # noqa: ARG002 - threads have names
        self._look = look
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, delay: float) -> None:
        """Begin, with a first call after `delay` seconds."""
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(delay, self._ring)

    def hasten(self) -> None:
        """Something is due earlier than the last call of `look` has said: call it now."""
        if self._timer is not None and self._loop is not None:
            self._timer.cancel()
            self._timer = self._loop.call_later(0.0, self._ring)

    def stop(self) -> None:
        """No more calls."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def join(self, timeout: float) -> None:
        """Return when nothing of it runs any more, after `timeout` seconds at the latest."""

    def _ring(self) -> None:
        pause = self._look()
        if self._timer is not None and self._loop is not None:
            self._timer = self._loop.call_later(pause, self._ring)


class Worker:
    """Something that runs in the background: a task."""

    _running: set[asyncio.Task[Any]] = set()  # noqa: RUF012 - of all: the loop itself keeps no task alive

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[Any] | None = None

    def start(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Begin to run `function`, a coroutine function; RuntimeError when that is impossible now."""
        loop = asyncio.get_running_loop()  # before there is a coroutine that nobody would await
        self._task = task = loop.create_task(function(*arguments), name=self._name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def run(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Do something the caller need not wait for; threads do it at once."""
        self.start(function, *arguments)

    def cancel(self) -> None:
        """End it where it waits; what runs in a thread has to end by itself."""
        if self._task is not None:
            self._task.cancel()

    async def join(self, timeout: float) -> bool:
        """Return when it has ended, after `timeout` seconds at the latest; whether it is known to have ended."""
        if self._task is None:
            return False
        await asyncio.wait({self._task}, timeout=timeout)
        return self._task.done()


class TimeLimit:
    """A block that ends with TimeoutError after `seconds`, in the middle of whatever it waits for.

    In threads only the wait for `conn` ends, with an error of the driver; without one nothing does.
    """

    __slots__ = ("_before", "_scope", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float, conn: psycopg.AsyncConnection[Any] | None = None) -> None:  # noqa: ARG002
        self._seconds = seconds

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._before = task.cancelling()
        self._scope = asyncio.timeout(None)
        await self._scope.__aenter__()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._end)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._scope.__aexit__(kind, error, trace)

    def expired(self) -> bool:
        """Whether this is what ended the block."""
        return self._scope.expired()

    def _end(self) -> None:
        # Who is being cancelled already stops its statement: a second cancellation would cut that short and cost the
        # connection.
        if self._task.cancelling() == self._before:
            self._scope.reschedule(asyncio.get_running_loop().time())


class Race(Generic[K, R]):
    """Attempts side by side, each known by its key; who runs the race takes their results as they come.

    After `end` nobody wants a result: `refuse` is called with each that comes too late.
    """

    def __init__(self, refuse: Callable[[R], None]) -> None:
        self._refuse = refuse
        self._results: asyncio.Queue[tuple[K, R | Exception]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, key: K, attempt: Callable[[K], Awaitable[R]], name: str) -> None:
        """Let one more run: `attempt(key)`."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._run(key, attempt), name=name))

    async def next(self, timeout: float | None) -> tuple[K, R | Exception] | None:
        """The next result and whose it is; None when there is none within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                return await self._results.get()
        except TimeoutError:
            return None

    async def end(self) -> None:
        """Let the others end."""
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:  # whoever runs the race may be interrupted again here
            while not self._results.empty():
                _, result = self._results.get_nowait()
                if not isinstance(result, Exception):
                    self._refuse(result)

    async def _run(self, key: K, attempt: Callable[[K], Awaitable[R]]) -> None:
        result: R | Exception
        try:
            result = await attempt(key)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the result
            result = error
        self._results.put_nowait((key, result))


class SocketWait:
    """How a connection waits for its server.

    psycopg's own way wakes up every tenth of a second to see whether the socket was closed meanwhile; here whoever
    closes it wakes the waiter, which saves a timer for each message.
    """

    pgconn: PGconn
    _waiter: asyncio.Future[int] | None = None  # with what the socket is ready for

    async def drive(self, gen: PQGen[R], timeout: float | None = None) -> R:
        """Drive an operation of the driver to its end; WaitTimeout after `timeout` seconds."""
        result: R
        try:
            need = next(gen)
        except StopIteration as end:
            result = end.value
            await _give_way()
            return result
        loop = asyncio.get_running_loop()
        timer, expires = None, inf
        if timeout is not None:
            timer, expires = loop.call_later(timeout, self._wake), loop.time() + timeout
        try:
            while True:
                need = gen.send(await self._ready(loop, need))
                if timer is not None and loop.time() >= expires:
                    break
        except StopIteration as end:
            result = end.value
            return result
        except psycopg.OperationalError as error:
            # The operation has to hear of it: what it would do when the garbage collector ends it, nobody could catch.
            with suppress(StopIteration, psycopg.Error):
                gen.throw(error)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        raise WaitTimeout("wait timeout expired")

    async def _ready(self, loop: asyncio.AbstractEventLoop, need: int) -> int:
        """Wait for what `need` says; what the socket is ready for, nothing when woken for another reason."""
        fd = self.pgconn.socket
        self._waiter = waiter = loop.create_future()
        try:
            if need & WAIT_R:
                loop.add_reader(fd, _set_ready, waiter, READY_R)
            if need & WAIT_W:
                loop.add_writer(fd, _set_ready, waiter, READY_W)
            state: int = await waiter
            return state
        finally:
            if self._waiter is not None:  # else it was closed, and its number may be somebody else's already
                self._waiter = None
                if need & WAIT_R:
                    loop.remove_reader(fd)
                if need & WAIT_W:
                    loop.remove_writer(fd)

    def _wake(self) -> None:
        """Let whoever waits look again."""
        if self._waiter is not None:
            _set_ready(self._waiter, READY_NONE)

    def drop(self) -> None:
        """Close at once, without waiting for anybody; whoever waits for an answer gets an error."""
        self._dismiss()
        self.pgconn.finish()

    async def close(self) -> None:
        """Close it, as psycopg does; whoever waits for an answer gets an error."""
        self._dismiss()
        connection: Any = super()
        await connection.close()

    def _dismiss(self) -> None:
        """Nobody waits any more for the socket, which is about to be closed."""
        if self._waiter is not None:
            loop, waiter, self._waiter = self._waiter.get_loop(), self._waiter, None
            loop.remove_reader(self.pgconn.socket)
            loop.remove_writer(self.pgconn.socket)
            if not waiter.done():
                waiter.set_exception(psycopg.OperationalError("the connection was closed while somebody waited for it"))


def _set_ready(waiter: asyncio.Future[int], state: int) -> None:
    if not waiter.done():
        waiter.set_result(state)


_busy_since = 0.0
_BUSY_SECONDS = 0.005


async def _give_way() -> None:
    """Let the loop have a turn now and then: a COPY whose data are all there never waits for its socket."""
    global _busy_since  # noqa: PLW0603 - there is one event loop in a thread, and a turn too many does no harm
    if monotonic() - _busy_since >= _BUSY_SECONDS:
        await asyncio.sleep(0)
        _busy_since = monotonic()


async def wait_to_connect(gen: PQGenConn[R], timeout: float) -> R:
    """Drive what opens a connection to its end; WaitTimeout after `timeout` seconds."""
    return await waiting.wait_conn_async(gen, interval=_INTERVAL, timeout=timeout)
