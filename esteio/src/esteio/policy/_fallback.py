"""Fallback: another answer where a call fails.

Promises: only exceptions of `on` are answered, cancellation never; what the fallback function itself raises
is raised, with the first error as its context.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from inspect import iscoroutine, iscoroutinefunction
from typing import Any, ClassVar

from esteio import events
from esteio.policy._errors import NEVER_HANDLED
from esteio.policy._events import FallbackUsed
from esteio.policy._parameters import ExceptionTypes, exception_types, function, name_or_none
from esteio.policy._policy import AnyCall, Binding, Bound, Policy, Snapshot

__all__ = ["Fallback"]


@dataclass(frozen=True, slots=True)
class Fallback(Policy):
    """Answers with `value`, or with what `using(error)` returns, instead of an exception of `on`.

    `using` may return a coroutine where the guarded function is a coroutine function.
    """

    value: Any = None
    _: KW_ONLY
    using: Callable[[Exception], Any] | None = None
    on: ExceptionTypes = (Exception,)
    name: str | None = None

    kind: ClassVar[str] = "fallback"

    def __post_init__(self) -> None:
        function("Fallback", "using", self.using, plain=False)
        object.__setattr__(self, "on", exception_types("Fallback", "on", self.on))
        name_or_none("Fallback", self.name)
        if self.using is not None and self.value is not None:
            msg = f"Fallback: value={self.value!r} and using= say two things; pass one of them"
            raise ValueError(msg)

    def bind(self, binding: Binding) -> BoundFallback:
        """The live half."""
        return BoundFallback(self, binding)


class BoundFallback(Bound[Fallback]):
    """The live half of a `Fallback`."""

    def __init__(self, definition: Fallback, binding: Binding) -> None:
        super().__init__(definition, binding)
        self.used = 0

    def snapshot(self) -> Snapshot:
        """How often it answered."""
        return Snapshot("fallback", self.name, {"used": self.used})

    def _answers(self, error: Exception) -> bool:
        return isinstance(error, self.definition.on) and not isinstance(error, NEVER_HANDLED)

    def _answer(self, error: Exception) -> Any:
        self.used += 1
        if events.active():
            events.emit(FallbackUsed(self.name, error))
        using = self.definition.using
        return self.definition.value if using is None else using(error)

    def wrap(self, call: AnyCall) -> AnyCall:
        """Answer for a plain function."""
        if iscoroutinefunction(self.definition.using):
            msg = f"Fallback of {self.name!r}: using={self.definition.using!r} is async but the function is not"
            raise TypeError(msg)

        def answered(*args: Any, **kwargs: Any) -> Any:
            try:
                return call(*args, **kwargs)
            except Exception as error:
                if not self._answers(error):
                    raise
                return self._answer(error)

        return answered

    def wrap_async(self, call: AnyCall) -> AnyCall:
        """Answer for a coroutine function."""

        async def answered(*args: Any, **kwargs: Any) -> Any:
            try:
                return await call(*args, **kwargs)
            except Exception as error:
                if not self._answers(error):
                    raise
                answer = self._answer(error)
                return await answer if iscoroutine(answer) else answer  # also of a lambda that calls an async def

        return answered
