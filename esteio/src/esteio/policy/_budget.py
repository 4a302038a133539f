"""How many retries a pipeline may add to the load of what it calls. Pure but for a short lock.

Promises: whenever a retry or hedge is made, the retries of the last `window` seconds, this one included, are at
most `ratio` of the calls begun in these seconds plus `per_second` times `window`, whatever the number of callers.
When that is used up, errors are raised instead of retried. Ratio and floor after Finagle's RetryBudget and
Envoy's retry_budget; a token bucket, as theirs, would allow its capacity and its refill within one window.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from esteio.policy._forks import renew_after_fork
from esteio.policy._parameters import name_or_none, seconds, share

__all__ = ["BudgetState", "RetryBudget", "budget_or_none"]

_SLICES = 20  # moments are kept to 1/20 of the window, always rounded so that less is allowed


class _Lock:
    """One for all budgets: it is held on failures only, for microseconds, and a budget of a single call costs none."""

    def __init__(self) -> None:
        self.lock = Lock()
        renew_after_fork(self)

    def renew(self) -> None:
        self.lock = Lock()


_shared = _Lock()


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """Retries as a share of calls (`ratio`), and a floor of `per_second` for quiet services.

    Both are counted over the last `window` seconds; what was not used in them is lost. Pipelines whose budgets
    have the same `name` in one registry share one budget.
    """

    ratio: float = 0.2
    per_second: float = 3.0
    window: float = 10.0
    name: str | None = None

    def __post_init__(self) -> None:
        share("RetryBudget", "ratio", self.ratio)
        seconds("RetryBudget", "per_second", self.per_second, zero=True)
        seconds("RetryBudget", "window", self.window)
        name_or_none("RetryBudget", self.name)


def budget_or_none(owner: str, value: object) -> None:
    """None, or a RetryBudget."""
    if value is not None and not isinstance(value, RetryBudget):
        msg = f"{owner}: budget={value!r}; pass RetryBudget(...), or None for retries without a bound"
        raise TypeError(msg)


class BudgetState:
    """What is left. `calls` is counted up by whoever starts a call, without a lock and without asking for the time.

    The calls since the last look at the budget began at some moment since then. They count as begun right after
    that look, so they leave the window too early rather than too late. Looks are as frequent as failures, so the
    error is small when it matters.
    """

    def __init__(self, definition: RetryBudget, now: Callable[[], float]) -> None:
        self.definition = definition
        self.calls = 0
        self.spent = self.refused = 0
        self._now = now
        self._seen = 0  # of `calls`
        self._looked = now()
        self._begun: deque[list[float]] = deque()  # [first moment of the slice, calls]
        self._retried: deque[list[float]] = deque()  # [first moment, last moment, retries]

    def withdraw(self) -> bool:
        """Take one retry; False when there is none left."""
        with _shared.lock:
            now = self._now()
            if self._balance(now) < 1.0:
                self.refused += 1
                return False
            if self._retried and now - self._retried[-1][0] < self.definition.window / _SLICES:
                self._retried[-1][1] = now  # the slice leaves the window with its last retry
                self._retried[-1][2] += 1
            else:
                self._retried.append([now, now, 1])
            self.spent += 1
            return True

    def left(self) -> float:
        """Retries that could be made now."""
        with _shared.lock:
            return max(0.0, self._balance(self._now()))

    def _balance(self, now: float) -> float:
        made = self.definition
        calls, self._seen = self.calls - self._seen, self.calls
        since, self._looked = self._looked, now
        if self._begun and since - self._begun[-1][0] < made.window / _SLICES:
            self._begun[-1][1] += calls  # the slice leaves the window with its first call
        elif calls:
            self._begun.append([since, calls])
        oldest = now - made.window
        while self._begun and self._begun[0][0] <= oldest:
            self._begun.popleft()
        while self._retried and self._retried[0][1] <= oldest:
            self._retried.popleft()
        begun = sum(number for _, number in self._begun)
        retried = sum(number for _, _, number in self._retried)
        return begun * made.ratio + made.per_second * made.window - retried
