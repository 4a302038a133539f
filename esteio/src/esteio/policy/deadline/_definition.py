"""What a deadline is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from esteio.policy._parameters import seconds
from esteio.policy._policy import Binding, Cost, Policy

if TYPE_CHECKING:
    from esteio.policy.deadline._execution import TotalTime

__all__ = ["Deadline"]


@dataclass(frozen=True, slots=True)
class Deadline(Policy):
    """At most `seconds` for everything inside: all attempts, all waits, all calls below, on this host or the next.

    Coroutine functions are cancelled when it passes, and DeadlineExceeded is raised; plain functions are not
    begun, retried or waited for any more after it. It never extends a deadline around it.
    """

    seconds: float
    name: str | None = None

    kind: ClassVar[str] = "deadline"

    def __post_init__(self) -> None:
        seconds("Deadline", "seconds", self.seconds)

    def worst(self, inner: Cost) -> Cost:
        """No more than `seconds` (for plain functions only if they cooperate)."""
        return Cost(inner.calls, min(inner.seconds, self.seconds))

    def bind(self, binding: Binding) -> TotalTime:
        """The live half."""
        from esteio.policy.deadline._execution import TotalTime  # here: definition and execution are apart

        return TotalTime(self, binding)
