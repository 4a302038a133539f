"""How a call ended, as a value instead of an exception."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

__all__ = ["ATTEMPTS_SEEN", "Attempts", "Outcome", "attempts_of"]

T_co = TypeVar("T_co", covariant=True)

ATTEMPTS_SEEN: ContextVar[list[int] | None] = ContextVar("esteio.policy.attempts_seen", default=None)
"""Where a retry leaves the number of attempts for `Pipeline.outcome`; None when nobody asked."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """What a retry did before it gave up: attempts, seconds since the first failure, and why it stopped."""

    pipeline: str
    count: int
    elapsed: float
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T_co]):
    """The end of a call: a value or an `error`, after `attempts` attempts and `elapsed` seconds.

    Cancellation and other control-flow exceptions are never caught into an outcome.
    """

    _value: T_co | None
    error: Exception | None
    attempts: int
    elapsed: float

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.error is None

    @property
    def value(self) -> T_co:
        """The value; raises the error where there is none."""
        if self.error is not None:
            raise self.error
        return cast("T_co", self._value)


def attempts_of(error: BaseException) -> Attempts | None:
    """What the innermost retry noted on `error`, or None when it went through no retry."""
    noted = getattr(error, "esteio_attempts", None)
    return noted if isinstance(noted, Attempts) else None
