"""How long to wait before the next attempt to start what keeps failing.

Promises: the first failure costs nothing (a worker that died is replaced at once); from the second on the
wait grows by `factor` up to `cap` and never beyond it. Jitter only shortens, so the ceiling holds.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Backoff"]

_EXPONENT_LIMIT = 64  # far beyond any cap; keeps the power finite after years of failures


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds: `first` before the second attempt, times `factor` for each further one, `cap` at most.

    `jitter` is the share of the wait that chance may take away, from 0 to 1.
    """

    first: float = 0.5
    factor: float = 2.0
    cap: float = 30.0
    jitter: float = 0.2

    def delay(self, failures: int, chance: float) -> float:
        """Seconds to wait after `failures` in a row; `chance` is a random number from 0 to 1."""
        if failures <= 1:
            return 0.0
        grown = self.first * self.factor ** min(failures - 2, _EXPONENT_LIMIT)
        return min(grown, self.cap) * (1.0 - self.jitter * chance)
