"""What a bulkhead is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from esteio.policy._parameters import count, seconds
from esteio.policy._policy import Binding, Cost, Policy
from esteio.policy.bulkhead._adaptive import AIMD, Gradient

if TYPE_CHECKING:
    from esteio.policy.bulkhead._execution import Compartment

__all__ = ["Bulkhead"]


@dataclass(frozen=True, slots=True)
class Bulkhead(Policy):
    """At most `limit` calls at once, so that one slow dependency can't take all threads or connections.

    `limit` is a number, or AIMD(...) or Gradient(...) to find it from latency. Up to `queue` callers wait, each
    at most `wait` seconds or what the deadline leaves; then BulkheadFull. First come, first served. Bulkheads
    with the same `name` in one registry are one.
    """

    limit: int | AIMD | Gradient = 10
    queue: int = 0
    wait: float = 1.0
    name: str | None = None

    kind: ClassVar[str] = "bulkhead"

    def __post_init__(self) -> None:
        if not isinstance(self.limit, AIMD | Gradient):
            count("Bulkhead", "limit", self.limit)
        count("Bulkhead", "queue", self.queue, 0)
        seconds("Bulkhead", "wait", self.wait)

    def worst(self, inner: Cost) -> Cost:
        """The wait in the queue on top."""
        return Cost(inner.calls, inner.seconds + (self.wait if self.queue else 0.0))

    def bind(self, binding: Binding) -> Compartment:
        """The live half."""
        from esteio.policy.bulkhead._execution import Compartment  # here: definition and execution are apart

        return Compartment(self, binding)
