"""One call's retries: what to do after a failed attempt. Pure: time, randomness and the budget come in.

A run exists only from the first failure on; it belongs to one call and is shared with nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from esteio.policy._errors import Rejected
from esteio.policy.retry._backoff import as_backoff, waits
from esteio.policy.retry._budget import BudgetState
from esteio.policy.retry._definition import Retry
from esteio.policy.retry._server_wish import server_wish

__all__ = ["GiveUp", "RetryRun"]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Stop, for this reason: attempts, deadline, budget, retry_after, final (an error that is not retried)."""

    reason: str


class RetryRun:
    """Counts attempts and chooses the waits."""

    __slots__ = ("_budget", "_random", "_waits", "attempt", "definition", "real", "started")

    def __init__(
        self, definition: Retry, started: float, random: Callable[[], float], budget: BudgetState | None
    ) -> None:
        self.definition = definition
        self.started = started
        self.attempt = 1
        self.real: Exception | None = None  # the last error that was no rejection
        self._random = random
        self._budget = budget
        self._waits = waits(as_backoff(definition.backoff), definition.jitter, random)

    def after(self, failure: object, left: float, wall: Callable[[], float]) -> float | GiveUp:
        """Seconds to wait before the next attempt, or why there is none.

        `failure` is the exception or the unacceptable result, `left` the seconds until the deadline.
        """
        made = self.definition
        if isinstance(failure, Exception) and not isinstance(failure, Rejected):
            self.real = failure
        if isinstance(failure, Exception) and not made.wants(failure):
            return GiveUp("final")
        if made.attempts is not None and self.attempt >= made.attempts:
            return GiveUp("attempts")
        wait = next(self._waits)
        wish = server_wish(failure, wall)
        if wish is not None:
            if wish > made.retry_after_max:
                return GiveUp("retry_after")
            wait = max(wait, wish * (1 + 0.1 * self._random()))
        if isinstance(failure, Rejected) and left == inf:
            return GiveUp("final")  # nobody said how long it may take, so our own rejection is the answer
        if wait >= left:
            return GiveUp("deadline")
        if self._budget is not None and not self._budget.withdraw():
            return GiveUp("budget")
        self.attempt += 1
        return wait

    def answer(self, error: Exception | None) -> Exception | None:
        """What the caller is to see: why it failed, not that the circuit has opened over it."""
        return self.real if isinstance(error, Rejected) and self.real is not None else error
