"""Fallback: another answer where a call fails.

Promises: only exceptions of `on` are answered, cancellation never; what the fallback function itself raises
is raised, with the first error as its context.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from inspect import iscoroutinefunction
from typing import Any, ClassVar

from esteio import events
from esteio.policy._errors import NEVER_HANDLED
from esteio.policy._events import FallbackUsed
from esteio.policy._parameters import ExceptionTypes, exception_types, function
from esteio.policy._policy import AnyCall, Binding, Bound, Policy, Snapshot

__all__ = ["Fallback"]


@dataclass(frozen=True, slots=True)
class Fallback(Policy):
    """Answers with `value`, or with what `using(error)` returns, instead of an exception of `on`.

    `using` may be a coroutine function where the guarded function is one.
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

    def _answer(self, error: Exception) -> Any:
        if not isinstance(error, self.definition.on) or isinstance(error, NEVER_HANDLED):
            raise error
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
            except Exception as error:  # noqa: BLE001 - raised again unless it is to be answered
                return self._answer(error)

        return answered

    def wrap_async(self, call: AnyCall) -> AnyCall:
        """Answer for a coroutine function."""

        async def answered(*args: Any, **kwargs: Any) -> Any:
            try:
                return await call(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - raised again unless it is to be answered
                answer = self._answer(error)
                return await answer if iscoroutinefunction(self.definition.using) else answer

        return answered
