"""Calls that start no faster than a limit allows: a policy for `esteio.policy.Pipeline`.

Promises: each call that starts was charged, all of its limits or none. Who has to wait does so in line, per key, first
come first served, for threads and tasks alike; a waiter that is cancelled or gives up leaves the line and was not
charged, unless it was cancelled while a remote store was answering. `RateLimited` when the call may not start in time.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, _get_running_loop, get_running_loop
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event as ThreadEvent
from threading import Lock
from typing import Any, ClassVar

from esteio import events
from esteio.limit._decision import Decision, Decisions
from esteio.limit._limit import Hit, Limit
from esteio.limit._limiter import MOST_HITS, RateLimiter
from esteio.limit._memory import MemoryStore
from esteio.limit._store import AsyncStore, Store
from esteio.limit._sync import SyncRateLimiter
from esteio.policy import CallRejected, Cost, DeadlineExceeded, Policy, Rejected, Snapshot
from esteio.policy._forks import renew_after_fork
from esteio.policy._parameters import count, function, seconds
from esteio.policy._policy import AnyCall, Binding, Bound
from esteio.policy._scope import SCOPE, time_source

__all__ = ["RateLimit", "RateLimited"]

_ASK, _TURN, _PAUSE = range(3)
"""What a driver has to do: ask the limiter; wait to be the first in line, so many seconds at most; sleep so long."""

Steps = Generator[tuple[int, float], Decision | None, None]


class RateLimited(Rejected):
    """The call was not made, since `limit` of the policy `name` has no room for it after `waited` seconds.

    `retry_after`: seconds until it would have, 0.0 when too many wait to tell; None when its cost never can.
    """

    def __init__(self, name: str, limit: Limit, retry_after: float | None, waited: float) -> None:
        self.name = name
        self.limit = limit
        self.retry_after = retry_after
        self.waited = waited

    def __str__(self) -> str:
        if self.retry_after is None:
            return f"rate limit {self.name!r}: the cost is above {self.limit} and can never pass; split the call"
        when = f"in {self.retry_after:.3f} s" if self.retry_after else "later; others wait already"
        waited = f"waited {self.waited:.3f} s, " if self.waited else ""
        return f"rate limit {self.name!r}: {self.limit} is used up, {waited}not called; try {when}"


@dataclass(frozen=True, slots=True)
class RateLimit(Policy):
    """Starts calls no faster than `limit` allows, or each of several: a tuple of them is charged as one.

    A call that finds no room waits in line for at most `wait` seconds, or what the deadline leaves; 0 refuses it at
    once, and so does a wait that could not end in time. At most `queue` calls wait. `key`: whose allowance a call
    uses, text or a function of the call's arguments (of `Pipeline.call`: and of the function first); None is the
    policy's name. `cost`: a number, or such a function.
    `store`: where it is counted, this process' memory by default. Policies with the same `name` in one registry are
    one. Errors when called: `RateLimited`, `DeadlineExceeded`.
    """

    limit: Limit | tuple[Limit, ...]
    wait: float = 0.0
    queue: int = 100
    key: str | Callable[..., str] | None = None
    cost: int | Callable[..., int] = 1
    store: Store | AsyncStore | None = None
    name: str | None = None

    kind: ClassVar[str] = "ratelimit"

    def __post_init__(self) -> None:
        if not 1 <= len(self.limits) <= MOST_HITS or not all(isinstance(each, Limit) for each in self.limits):
            msg = f"RateLimit: limit={self.limit!r}; pass a Limit(...), or a tuple of 1 to {MOST_HITS} of them"
            raise TypeError(msg)
        seconds("RateLimit", "wait", self.wait, zero=True)
        count("RateLimit", "queue", self.queue, 0)
        if isinstance(self.key, str) and not self.key:
            msg = "RateLimit: key='' is empty; pass text, a function of the call's arguments, or None for the policy's name"
            raise ValueError(msg)
        if not isinstance(self.key, str):
            function("RateLimit", "key", self.key)
        if callable(self.cost):
            function("RateLimit", "cost", self.cost)
        else:
            count("RateLimit", "cost", self.cost)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """All limits."""
        return self.limit if isinstance(self.limit, tuple) else (self.limit,)

    def worst(self, inner: Cost) -> Cost:
        """The wait in line on top."""
        return Cost(inner.calls, inner.seconds + self.wait)

    def bind(self, binding: Binding) -> BoundRateLimit:
        """The live half."""
        return BoundRateLimit(self, binding)


class _Waiter:
    """One call in line; `wake` is called, in any thread, when it is the `first`."""

    __slots__ = ("first", "wake")

    def __init__(self, wake: Callable[[], object]) -> None:
        self.wake = wake
        self.first = False


class _Lines:
    """Who waits, by key. Only the first of a line asks the limiter, so that nobody is overtaken."""

    def __init__(self) -> None:
        self._lock = Lock()  # a waiter joins or leaves, and the first of the line is decided, as one step
        self._lines: dict[str, deque[_Waiter]] = {}
        self.waiting = 0

    def waits(self, key: str) -> bool:
        """Whether anybody waits for this key."""
        return key in self._lines

    def join(self, key: str, waiter: _Waiter, most: int) -> bool:
        """Stand in line; False when `most` calls wait already."""
        with self._lock:
            if self.waiting >= most:
                return False
            self.waiting += 1
            line = self._lines.setdefault(key, deque())
            waiter.first = not line
            line.append(waiter)
        return True

    def leave(self, key: str, waiter: _Waiter) -> None:
        """Leave the line, from wherever in it; the next becomes the first."""
        with self._lock:
            line = self._lines[key]
            line.remove(waiter)
            self.waiting -= 1
            following = line[0] if line and waiter.first else None
            if following is not None:
                following.first = True
            if not line:
                del self._lines[key]
        if following is not None:
            following.wake()  # not under the lock: it may run the other's code


class BoundRateLimit(Bound[RateLimit]):
    """The live half of a `RateLimit`."""

    def __init__(self, definition: RateLimit, binding: Binding) -> None:
        super().__init__(definition, binding)
        self._now = time_source(binding.clock)
        self._memory = MemoryStore(clock=binding.clock)
        self._lines = _Lines()
        self.rejected = 0
        renew_after_fork(self)

    def snapshot(self) -> Snapshot:
        """Calls waiting, calls rejected."""
        return Snapshot(self.definition.kind, self.name, {"waiting": self._lines.waiting, "rejected": self.rejected})

    def reconfigure(self, definition: RateLimit) -> None:
        """Other limits, keys and waits from the next call on; ValueError for another store, which has other counts."""
        if definition.store is not self.definition.store:
            msg = f"rate limit {self.name!r}: store={definition.store!r}; it can't be replaced, build another pipeline"
            raise ValueError(msg)
        self.definition = definition

    def renew(self) -> None:
        """After a fork: nobody waits."""
        self._lines = _Lines()

    # -- deciding

    def _hits(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Hit]:
        made = self.definition
        key = made.key(*args, **kwargs) if callable(made.key) else made.key or self.name
        cost = made.cost(*args, **kwargs) if callable(made.cost) else made.cost
        return [Hit(key, limit, cost) for limit in made.limits]

    def _steps(self, hits: Sequence[Hit], denial: Decision | None, wake: Callable[[], object]) -> Steps:
        """What a driver has to do until the call may start; `denial`, if the limiter was asked already.

        Ends when it may. Whatever is raised in between, the line is left.
        """
        made, lines, key = self.definition, self._lines, hits[0].key
        patience = self._patience(denial, hits[0].limit)
        began = self._now()
        end = began + patience
        waiter = _Waiter(wake)
        if not lines.join(key, waiter, made.queue):
            raise self._rejection(hits[0].limit, 0.0, 0.0)
        try:
            if not waiter.first:
                denial = None
                yield _TURN, patience
            while waiter.first:
                if denial is None:
                    denial = yield _ASK, 0.0
                if denial is None:
                    return
                self._check_hope(denial, end - self._now(), self._now() - began)
                yield _PAUSE, denial.retry_after or 0.0
                denial = None
        finally:
            lines.leave(key, waiter)
        if patience < made.wait:
            raise DeadlineExceeded(self.name)
        raise self._rejection(hits[0].limit, 0.0, patience)

    def _patience(self, denial: Decision | None, limit: Limit) -> float:
        """Seconds that the call may wait."""
        wait = self.definition.wait
        if not wait:
            raise self._rejection(limit, 0.0, 0.0) if denial is None else self._denied(denial, 0.0)
        expires, now, _ = SCOPE.get()
        left = expires - now()
        if left <= 0:
            raise DeadlineExceeded(self.name)
        patience = min(wait, left)
        if denial is not None:
            self._check_hope(denial, patience, 0.0)
        return patience

    def _check_hope(self, denial: Decision, left: float, waited: float) -> None:
        """Raise at once when the wait could not end in time."""
        if denial.retry_after is None or denial.retry_after > left:
            raise self._denied(denial, waited)

    def _denied(self, denial: Decision, waited: float) -> RateLimited:
        return self._rejection(denial.limit, denial.retry_after, waited)

    def _rejection(self, limit: Limit, retry_after: float | None, waited: float) -> RateLimited:
        self.rejected += 1
        if events.active():
            events.emit(CallRejected(self.name, self.definition.kind))
        return RateLimited(self.name, limit, retry_after, waited)

    # -- wrapping

    def wrap(self, call: AnyCall) -> AnyCall:
        """Limit a plain function. LimitError when the store has to be awaited."""
        store = self.definition.store
        limiter = SyncRateLimiter(self._memory if store is None else store, clock=self.clock)  # type: ignore[arg-type]

        def ask(hits: Sequence[Hit]) -> Decision | None:
            if len(hits) == 1:
                return _denial(limiter.hit(*hits[0]))
            return _tightest(limiter.hit_all(hits))

        def limited(*args: Any, **kwargs: Any) -> Any:
            hits = self._hits(args, kwargs)
            denial = None
            if self._lines.waits(hits[0].key) or (denial := ask(hits)) is not None:
                self._wait(hits, denial, ask)
            return call(*args, **kwargs)

        return limited

    def _wait(
        self, hits: Sequence[Hit], denial: Decision | None, ask: Callable[[Sequence[Hit]], Decision | None]
    ) -> None:
        woken = ThreadEvent()
        steps = self._steps(hits, denial, woken.set)
        try:
            for kind, limit in steps:
                while kind == _ASK:
                    kind, limit = steps.send(ask(hits))  # noqa: PLW2901 - the answer to a question is the next step
                if kind == _TURN:
                    woken.wait(limit)
                else:
                    self.clock.sleep(limit)
        except StopIteration:
            return
        finally:
            steps.close()

    def wrap_async(self, call: AnyCall) -> AnyCall:
        """Limit a coroutine function. LimitError when the store would block the event loop."""
        store = self.definition.store
        limiter = RateLimiter(self._memory if store is None else store, clock=self.clock)

        async def ask(hits: Sequence[Hit]) -> Decision | None:
            if len(hits) == 1:
                return _denial(await limiter.hit(*hits[0]))
            return _tightest(await limiter.hit_all(hits))

        async def limited(*args: Any, **kwargs: Any) -> Any:
            hits = self._hits(args, kwargs)
            denial = None
            if self._lines.waits(hits[0].key) or (denial := await ask(hits)) is not None:
                await self._wait_async(hits, denial, ask)
            return await call(*args, **kwargs)

        return limited

    async def _wait_async(self, hits: Sequence[Hit], denial: Decision | None, ask: AnyCall) -> None:
        loop, woken = get_running_loop(), asyncio.Event()
        steps = self._steps(hits, denial, lambda: _wake(loop, woken))
        try:
            for kind, limit in steps:
                while kind == _ASK:
                    kind, limit = steps.send(await ask(hits))  # noqa: PLW2901 - as above
                if kind == _TURN:
                    timer = loop.call_later(limit, woken.set)
                    try:
                        await woken.wait()
                    finally:
                        timer.cancel()
                else:
                    await self.clock.sleep_async(limit)
        except StopIteration:
            return
        finally:
            steps.close()  # when this task is cancelled, too


def _denial(decision: Decision) -> Decision | None:
    return None if decision else decision


def _tightest(decisions: Decisions) -> Decision | None:
    return None if decisions else decisions.tightest


def _wake(loop: AbstractEventLoop, woken: asyncio.Event) -> None:
    if _get_running_loop() is loop:
        woken.set()
    else:
        with suppress(RuntimeError):  # that loop was closed with its task still waiting; nobody is there to be woken
            loop.call_soon_threadsafe(woken.set)
