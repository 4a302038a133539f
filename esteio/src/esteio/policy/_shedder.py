"""Load shedder: the less important is refused first.

Promises: what is refused costs no more than a comparison; a signal function that raises is the caller's
error and reaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from threading import Lock
from typing import Any, ClassVar

from esteio import events
from esteio.policy._errors import LoadShed
from esteio.policy._events import CallRejected
from esteio.policy._forks import renew_after_fork
from esteio.policy._parameters import count, function, name_or_none, share
from esteio.policy._policy import AnyCall, Binding, Bound, Policy, Snapshot

__all__ = ["LoadShedder", "Priority", "priority"]


class Priority(IntEnum):
    """How much a call matters."""

    BACKGROUND = 0
    NORMAL = 1
    HIGH = 2
    CRITICAL = 3


_priority: ContextVar[Priority] = ContextVar("esteio.policy.priority", default=Priority.NORMAL)


@contextmanager
def priority(level: Priority) -> Iterator[None]:
    """Calls made inside have this priority."""
    token = _priority.set(Priority(level))
    try:
        yield
    finally:
        _priority.reset(token)


@dataclass(frozen=True, slots=True)
class LoadShedder(Policy):
    """Refuses calls when load reaches the share that their priority may use.

    Load is calls under way divided by `limit`, or what `signal()` returns (0 idle, 1 full) if that is more.
    Critical calls may use all of it, the others the shares given. Set the priority with `priority(...)`.
    """

    limit: int = 100
    background: float = 0.5
    normal: float = 0.8
    high: float = 0.95
    signal: Callable[[], float] | None = None
    name: str | None = None

    kind: ClassVar[str] = "shedder"

    def __post_init__(self) -> None:
        count("LoadShedder", "limit", self.limit)
        function("LoadShedder", "signal", self.signal)
        name_or_none("LoadShedder", self.name)
        for name in ("background", "normal", "high"):
            share("LoadShedder", name, getattr(self, name))
        if not self.background <= self.normal <= self.high:
            msg = (
                f"LoadShedder: background={self.background}, normal={self.normal}, high={self.high} are out of "
                "order; a higher priority needs at least the share of a lower one"
            )
            raise ValueError(msg)

    def allowed(self, level: Priority) -> float:
        """The share of load up to which a priority is served."""
        return (self.background, self.normal, self.high, 1.0)[level]

    def bind(self, binding: Binding) -> BoundShedder:
        """The live half."""
        return BoundShedder(self, binding)


class BoundShedder(Bound[LoadShedder]):
    """The live half of a `LoadShedder`."""

    def __init__(self, definition: LoadShedder, binding: Binding) -> None:
        super().__init__(definition, binding)
        self._lock = Lock()  # the load is compared and the call counted as one step, or many would pass at the limit
        self._running = set[object]()
        self.shed = 0
        renew_after_fork(self)

    def snapshot(self) -> Snapshot:
        """Calls under way, calls refused."""
        return Snapshot("shedder", self.name, {"running": len(self._running), "shed": self.shed})

    def renew(self) -> None:
        """After a fork: nothing is under way."""
        self._lock = Lock()
        self._running = set()

    def _enter(self) -> object:
        level = _priority.get()
        made = self.definition
        signal = made.signal() if made.signal is not None else 0.0
        call = object()
        with self._lock:
            load = max(len(self._running) / made.limit, signal)
            if load < made.allowed(level):
                self._running.add(call)
                return call
            self.shed += 1
        if events.active():
            events.emit(CallRejected(self.name, "shedder"))
        raise LoadShed(self.name, level.name.lower(), load, made.allowed(level))

    def wrap(self, call: AnyCall) -> AnyCall:
        """Shed calls of a plain function."""

        def admitted(*args: Any, **kwargs: Any) -> Any:
            entry = self._enter()
            try:
                return call(*args, **kwargs)
            finally:
                self._running.discard(entry)

        return admitted

    def wrap_async(self, call: AnyCall) -> AnyCall:
        """Shed calls of a coroutine function."""

        async def admitted(*args: Any, **kwargs: Any) -> Any:
            entry = self._enter()
            try:
                return await call(*args, **kwargs)
            finally:
                self._running.discard(entry)

        return admitted
