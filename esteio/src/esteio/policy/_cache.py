"""Cache: the last good answer while the call fails (stale-if-error, RFC 5861), and one call for many callers.

Promises: at most `size` answers are kept, the least recently used goes first; an answer older than `stale`
is never given; what can't be hashed is called without a cache. Arguments are kept as long as their answer.
With `single_flight` no caller waits for a leader that was cancelled or is out of its own time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import KW_ONLY, dataclass
from threading import Lock
from typing import Any, ClassVar

from esteio import events
from esteio.policy._errors import NEVER_HANDLED
from esteio.policy._events import StaleServed
from esteio.policy._forks import renew_after_fork
from esteio.policy._parameters import ExceptionTypes, count, exception_types, flag, function, name_or_none, seconds
from esteio.policy._policy import AnyCall, Binding, Bound, Policy, Snapshot
from esteio.policy._scope import time_source
from esteio.policy._single_flight import SingleFlight, this_task, this_thread

__all__ = ["Cache"]


@dataclass(frozen=True, slots=True)
class Cache(Policy):
    """Keeps answers for `stale` seconds and gives them where the call raises an exception of `on`.

    An answer younger than `fresh` seconds is given without a call (0: every call is made). `key` makes the
    cache key from the arguments; by default all of them, which for methods includes the instance.

    With `single_flight`, callers of the same key while a call is under way wait for it and get its answer or its
    error, so that an answer that has just become too old is asked for once and not by everybody. They wait no
    longer than their own deadline.
    """

    stale: float = 3600.0
    _: KW_ONLY
    fresh: float = 0.0
    size: int = 1024
    key: Callable[..., Hashable] | None = None
    on: ExceptionTypes = (Exception,)
    single_flight: bool = False
    name: str | None = None

    kind: ClassVar[str] = "cache"

    def __post_init__(self) -> None:
        seconds("Cache", "stale", self.stale)
        seconds("Cache", "fresh", self.fresh, zero=True)
        count("Cache", "size", self.size)
        function("Cache", "key", self.key)
        object.__setattr__(self, "on", exception_types("Cache", "on", self.on))
        flag("Cache", "single_flight", self.single_flight)
        name_or_none("Cache", self.name)
        if self.fresh > self.stale:
            msg = f"Cache: fresh={self.fresh} is above stale={self.stale}; raise stale"
            raise ValueError(msg)

    def bind(self, binding: Binding) -> BoundCache:
        """The live half, empty."""
        return BoundCache(self, binding)


class BoundCache(Bound[Cache]):
    """The live half of a `Cache`."""

    def __init__(self, definition: Cache, binding: Binding) -> None:
        super().__init__(definition, binding)
        self._now = time_source(binding.clock)
        self._lock = Lock()  # an answer is looked up and moved to the end, or added and the oldest dropped, as one step
        self._answers: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._flights = SingleFlight()
        self.hits = self.stale_hits = self.shared = 0
        renew_after_fork(self)

    def snapshot(self) -> Snapshot:
        """Answers kept, answers given fresh and stale, answers and errors taken over from another caller."""
        values = {"kept": len(self._answers), "fresh": self.hits, "stale": self.stale_hits, "shared": self.shared}
        return Snapshot("cache", self.name, {**values})

    def renew(self) -> None:
        """After a fork: a new lock, no calls under way."""
        self._lock = Lock()
        self._flights.renew()

    def _key(self, call: AnyCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable | None:
        make = self.definition.key
        key = (call, make(*args, **kwargs) if make else (args, tuple(sorted(kwargs.items()))))
        try:
            hash(key)
        except TypeError:
            return None
        return key

    def _recall(self, key: Hashable, age: float) -> tuple[float, Any] | None:
        """The age and the answer for `key`, when it is not older than `age` seconds."""
        with self._lock:
            kept = self._answers.get(key)
            if kept is None or (old := self._now() - kept[0]) > age:
                return None
            self._answers.move_to_end(key)
            return old, kept[1]

    def _keep(self, key: Hashable, answer: Any) -> None:
        with self._lock:
            self._answers[key] = (self._now(), answer)
            self._answers.move_to_end(key)
            while len(self._answers) > self.definition.size:
                self._answers.popitem(last=False)

    def _fresh(self, key: Hashable | None) -> tuple[float, Any] | None:
        if key is None or not self.definition.fresh:
            return None
        kept = self._recall(key, self.definition.fresh)
        self.hits += kept is not None
        return kept

    def _stale(self, key: Hashable | None, error: Exception) -> tuple[float, Any] | None:
        """The age and the answer to give instead of `error`; None when it is to be raised."""
        if key is None or not isinstance(error, self.definition.on) or isinstance(error, NEVER_HANDLED):
            return None
        kept = self._recall(key, self.definition.stale)
        if kept is not None:
            self.stale_hits += 1
            if events.active():
                events.emit(StaleServed(self.name, kept[0], error))
        return kept

    def wrap(self, call: AnyCall) -> AnyCall:
        """Remember for a plain function."""

        def remembered(*args: Any, **kwargs: Any) -> Any:
            key = self._key(call, args, kwargs)
            kept = self._fresh(key)
            if kept is not None:
                return kept[1]
            try:
                if key is not None and self.definition.single_flight:
                    return self._fly(key, call, args, kwargs)
                answer = call(*args, **kwargs)
            except Exception as error:
                kept = self._stale(key, error)
                if kept is None:
                    raise
                return kept[1]
            if key is not None:
                self._keep(key, answer)
            return answer

        return remembered

    def wrap_async(self, call: AnyCall) -> AnyCall:
        """Remember for a coroutine function."""

        async def remembered(*args: Any, **kwargs: Any) -> Any:
            key = self._key(call, args, kwargs)
            kept = self._fresh(key)
            if kept is not None:
                return kept[1]
            try:
                if key is not None and self.definition.single_flight:
                    return await self._fly_async(key, call, args, kwargs)
                answer = await call(*args, **kwargs)
            except Exception as error:
                kept = self._stale(key, error)
                if kept is None:
                    raise
                return kept[1]
            if key is not None:
                self._keep(key, answer)
            return answer

        return remembered

    # -- single flight: lead, or wait for who leads; whoever finds the flight abandoned or gone tries again

    def _fly(self, key: Hashable, call: AnyCall, args: Any, kwargs: Any) -> Any:
        while True:
            flight = self._flights.lead(key, this_thread())
            if flight is not None:
                with self._flights.led(key, flight):
                    kept = self._fresh(key)  # who led before may have landed since the look outside
                    if kept is not None:
                        flight.value = kept[1]
                        return kept[1]
                    flight.value = call(*args, **kwargs)
                    self._keep(key, flight.value)  # before landing, so that the next caller finds it
                return flight.value
            joined = self._flights.wait(self.name, key)
            if joined is not None and joined.ended == "answered":
                self.shared += 1
                return joined.result()

    async def _fly_async(self, key: Hashable, call: AnyCall, args: Any, kwargs: Any) -> Any:
        while True:
            flight = self._flights.lead(key, this_task())
            if flight is not None:
                with self._flights.led(key, flight):
                    kept = self._fresh(key)  # who led before may have landed since the look outside
                    if kept is not None:
                        flight.value = kept[1]
                        return kept[1]
                    flight.value = await call(*args, **kwargs)
                    self._keep(key, flight.value)  # before landing, so that the next caller finds it
                return flight.value
            joined = await self._flights.wait_async(self.name, key)
            if joined is not None and joined.ended == "answered":
                self.shared += 1
                return joined.result()
