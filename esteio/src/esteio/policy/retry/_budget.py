"""How many retries a pipeline may add to the load of what it calls. Pure but for a short lock.

Promises: over any `window` the retries (and hedges) are at most `ratio` of the calls plus `per_second` times
the window, whatever the number of callers; when the budget is empty, errors are raised instead of retried.
Ratio and floor after Finagle's RetryBudget and Envoy's retry_budget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from esteio.policy._forks import renew_after_fork
from esteio.policy._parameters import seconds, share

__all__ = ["BudgetState", "RetryBudget"]


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """Retries as a share of calls (`ratio`), and a floor of `per_second` for quiet services.

    What is not used within `window` seconds is lost. Pipelines whose budgets have the same `name` in one
    registry share one budget.
    """

    ratio: float = 0.2
    per_second: float = 3.0
    window: float = 10.0
    name: str | None = None

    def __post_init__(self) -> None:
        share("RetryBudget", "ratio", self.ratio)
        seconds("RetryBudget", "per_second", self.per_second, zero=True)
        seconds("RetryBudget", "window", self.window)


class BudgetState:
    """What is left. `calls` is counted up by whoever starts a call, without a lock."""

    def __init__(self, definition: RetryBudget, now: Callable[[], float]) -> None:
        self.definition = definition
        self.calls = 0
        self.spent = self.refused = 0
        self._now = now
        self._lock = Lock()
        self._seen = 0
        self._at = now()
        self._balance = definition.per_second * definition.window
        renew_after_fork(self)

    def withdraw(self) -> bool:
        """Take one retry; False when there is none left."""
        with self._lock:
            self._refill()
            if self._balance < 1.0:
                self.refused += 1
                return False
            self._balance -= 1.0
            self.spent += 1
            return True

    def left(self) -> float:
        """Retries that could be made now."""
        with self._lock:
            self._refill()
            return self._balance

    def renew(self) -> None:
        """A new lock after a fork."""
        self._lock = Lock()

    def _refill(self) -> None:
        made = self.definition
        now = self._now()
        elapsed, self._at = now - self._at, now
        calls, self._seen = self.calls - self._seen, self.calls
        recent = min(elapsed, made.window)
        fresh = calls * (recent / elapsed) if elapsed > 0 else float(calls)
        kept = self._balance * (1.0 - recent / made.window)
        self._balance = kept + fresh * made.ratio + recent * made.per_second
