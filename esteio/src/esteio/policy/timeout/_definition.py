"""What a timeout is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from esteio.policy._parameters import count, seconds
from esteio.policy._policy import Binding, Cost, Policy

if TYPE_CHECKING:
    from esteio.policy.timeout._execution import TimeLimit

__all__ = ["Timeout"]


@dataclass(frozen=True, slots=True)
class Timeout(Policy):
    """At most `seconds` for one call, or what is left of the deadline around it.

    Coroutine functions are cancelled and TimeoutExceeded is raised. Plain functions can't be stopped: they
    can ask `deadline.remaining()` and `deadline.check()`, and a late result is kept. With `abandon=True` a
    plain function runs in a thread that is walked away from when time is up; it goes on running, and at most
    `abandoned_max` such threads may exist before calls are rejected with BulkheadFull.
    """

    seconds: float
    abandon: bool = False
    abandoned_max: int = 16
    name: str | None = None

    kind: ClassVar[str] = "timeout"

    def __post_init__(self) -> None:
        seconds("Timeout", "seconds", self.seconds)
        count("Timeout", "abandoned_max", self.abandoned_max)

    def worst(self, inner: Cost) -> Cost:
        """No more than `seconds` (for plain functions only if they cooperate)."""
        return Cost(inner.calls, min(inner.seconds, self.seconds))

    def bind(self, binding: Binding) -> TimeLimit:
        """The live half."""
        from esteio.policy.timeout._execution import TimeLimit  # here: definition and execution are apart

        return TimeLimit(self, binding)
