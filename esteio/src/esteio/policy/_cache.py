"""Cache: the last good answer while the call fails (stale-if-error, RFC 5861).

Promises: at most `size` answers are kept, the least recently used goes first; an answer older than `stale`
is never given; what can't be hashed is called without a cache. Arguments are kept as long as their answer.
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
from esteio.policy._parameters import ExceptionTypes, count, exception_types, function, seconds
from esteio.policy._policy import AnyCall, Binding, Bound, Policy, Snapshot
from esteio.policy._scope import time_source

__all__ = ["Cache"]


@dataclass(frozen=True, slots=True)
class Cache(Policy):
    """Keeps answers for `stale` seconds and gives them where the call raises an exception of `on`.

    An answer younger than `fresh` seconds is given without a call (0: every call is made). `key` makes the
    cache key from the arguments; by default all of them, which for methods includes the instance.
    """

    stale: float = 3600.0
    _: KW_ONLY
    fresh: float = 0.0
    size: int = 1024
    key: Callable[..., Hashable] | None = None
    on: ExceptionTypes = (Exception,)
    name: str | None = None

    kind: ClassVar[str] = "cache"

    def __post_init__(self) -> None:
        seconds("Cache", "stale", self.stale)
        seconds("Cache", "fresh", self.fresh, zero=True)
        count("Cache", "size", self.size)
        function("Cache", "key", self.key)
        object.__setattr__(self, "on", exception_types("Cache", "on", self.on))
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
        self._lock = Lock()
        self._answers: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self.hits = self.stale_hits = 0
        renew_after_fork(self)

    def snapshot(self) -> Snapshot:
        """Answers kept, answers given fresh and stale."""
        values = {"kept": len(self._answers), "fresh": self.hits, "stale": self.stale_hits}
        return Snapshot("cache", self.name, {**values})

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._answers.clear()

    def renew(self) -> None:
        """A new lock after a fork."""
        self._lock = Lock()

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
            if kept is None or self._now() - kept[0] > age:
                return None
            self._answers.move_to_end(key)
            return self._now() - kept[0], kept[1]

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

    def _stale(self, key: Hashable | None, error: Exception) -> Any:
        kept = None
        if key is not None and isinstance(error, self.definition.on) and not isinstance(error, NEVER_HANDLED):
            kept = self._recall(key, self.definition.stale)
        if kept is None:
            raise error
        self.stale_hits += 1
        if events.active():
            events.emit(StaleServed(self.name, kept[0], error))
        return kept[1]

    def wrap(self, call: AnyCall) -> AnyCall:
        """Remember for a plain function."""

        def remembered(*args: Any, **kwargs: Any) -> Any:
            key = self._key(call, args, kwargs)
            kept = self._fresh(key)
            if kept is not None:
                return kept[1]
            try:
                answer = call(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - raised again unless an answer is known
                return self._stale(key, error)
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
                answer = await call(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - raised again unless an answer is known
                return self._stale(key, error)
            if key is not None:
                self._keep(key, answer)
            return answer

        return remembered
