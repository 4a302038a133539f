"""Deadline: the total time of a call, seen by everything below it and carried over HTTP hops.

Promises: what runs inside sees the deadline (`remaining()`, `check()`, clipped waits and timeouts); a
deadline and the caller's own cancellation are two different ends; the scope outside is restored.

The HTTP header carries the milliseconds that are left, not a moment: clocks of two machines differ, and the
time on the wire is lost on the safe side only by the receiver's own limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

from esteio import events
from esteio.clock import SYSTEM, Clock
from esteio.policy._errors import DeadlineExceeded, PolicyError
from esteio.policy._events import CallTimedOut
from esteio.policy._parameters import name_or_none, seconds
from esteio.policy._policy import AnyCall, Binding, Cost, Snapshot
from esteio.policy._scope import OPEN_END, SCOPE, leave, time_source
from esteio.policy._time_limit import EARLY, BoundTimeLimit, TimeLimit

__all__ = ["Deadline", "check", "detached", "from_headers", "headers", "remaining", "within"]

_HEADER = "Esteio-Deadline-Ms"


@dataclass(frozen=True, slots=True)
class Deadline(TimeLimit):
    """At most `seconds` for everything inside: all attempts, all waits, all calls below, on this host or the next.

    Coroutine functions are cancelled when it passes, and DeadlineExceeded is raised; plain functions are not
    begun, retried or waited for any more after it. It never extends a deadline around it.
    """

    seconds: float
    name: str | None = None

    kind: ClassVar[str] = "deadline"

    def __post_init__(self) -> None:
        seconds("Deadline", "seconds", self.seconds)
        name_or_none("Deadline", self.name)

    def worst(self, inner: Cost) -> Cost:
        """No more than `seconds` (for plain functions only if they cooperate)."""
        return Cost(inner.calls, min(inner.seconds, self.seconds))

    def bind(self, binding: Binding) -> BoundDeadline:
        """The live half."""
        return BoundDeadline(self, binding)


class BoundDeadline(BoundTimeLimit[Deadline]):
    """The live half of a `Deadline`."""

    def snapshot(self) -> Snapshot:
        """Calls whose deadline passed."""
        return Snapshot("deadline", self.name, {"exceeded": self.exceeded})

    def not_begun(self) -> DeadlineExceeded:
        """A deadline around this one has passed: counted here too."""
        return self.passed(self.definition.seconds, 0.0)

    def passed(self, limit: float, left: float, inside: PolicyError | None = None) -> DeadlineExceeded:  # noqa: ARG002
        """The error for a call whose time is up, counted and told."""
        self.exceeded += 1
        if events.active():
            events.emit(CallTimedOut(self.name, "deadline", limit))
        return DeadlineExceeded(self.name, limit)

    def show(self, call: AnyCall) -> AnyCall:
        """`wrap_async` without a timer of its own, for where all that waits inside obeys the scope by itself."""
        now, scope, enter, restore = self.now, SCOPE.get, SCOPE.set, SCOPE.reset

        async def limited(*args: Any, **kwargs: Any) -> Any:
            outer = scope()
            full = self.definition.seconds
            limit = full if outer is OPEN_END else min(full, outer[0] - outer[1]())
            if limit <= 0:
                raise self.not_begun()
            ends = now() + limit
            token = enter((ends, now, outer[2]))
            try:
                result = await (call(*args, **kwargs) if kwargs else call(*args))
            except BaseException as error:
                leave(token)
                if isinstance(error, DeadlineExceeded) and now() >= ends - EARLY:
                    raise self.passed(full, limit) from error
                raise  # also for a shorter deadline inside
            restore(token)
            return result

        return limited


def remaining() -> float | None:
    """Seconds left for the running call, 0.0 when time is up; None without a deadline or timeout around."""
    expires, now, _ = SCOPE.get()
    return None if expires == inf else max(0.0, expires - now())


def check(name: str = "the running call") -> None:
    """Raise DeadlineExceeded when time is up: for loops of plain functions."""
    if remaining() == 0.0:
        raise DeadlineExceeded(name)


@contextmanager
def within(limit: float, clock: Clock = SYSTEM) -> Iterator[None]:
    """A deadline of `limit` seconds for what runs inside; never later than the one around it.

    It clips the policies inside; by itself it stops nothing.
    """
    seconds("within", "limit", limit, zero=True)
    outer = SCOPE.get()
    now = time_source(clock)
    left = min(limit, outer[0] - outer[1]())
    token = SCOPE.set((now() + left, now, outer[2]))
    try:
        yield
    finally:
        leave(token)


@contextmanager
def detached() -> Iterator[None]:
    """No deadline and no outer retry for what is begun inside: for background tasks that outlive their caller."""
    token = SCOPE.set(OPEN_END)
    try:
        yield
    finally:
        leave(token)


def headers() -> dict[str, str]:
    """What to send along with an HTTP request; empty without a deadline."""
    left = remaining()
    return {} if left is None else {_HEADER: str(int(left * 1000))}


def from_headers(received: Mapping[str, str], limit: float) -> float:
    """Seconds that a caller leaves us, for `within()`: what the header says, at most `limit`; garbage is ignored."""
    seconds("from_headers", "limit", limit)
    text = received.get(_HEADER) or received.get(_HEADER.lower()) or ""
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        return limit
    return min(limit, int(text) / 1000)
