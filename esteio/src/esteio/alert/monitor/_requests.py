"""How many requests ended how, from one look to the next. Pure.

Promises: counters that began anew - another start of the service - are counted from 0, never backwards.
"""

from __future__ import annotations

from esteio.alert.objectives import Minute
from esteio.health.series import CANCELLED, HTTP, Reading
from esteio.metrics import THRESHOLDS

__all__ = ["RequestCounter"]


class RequestCounter:
    """Call it with each reading; `slow_above` in seconds, a power of two is exact."""

    def __init__(self, slow_above: float = THRESHOLDS.slow_seconds) -> None:
        self._slow_above = slow_above
        self._before: tuple[int, int, int] | None = None

    def __call__(self, reading: Reading, now: float) -> Minute:
        """What ended since the last reading, at `now`, Unix seconds; nothing at the first."""
        total, outcomes = reading.total(HTTP), reading.outcomes
        requests = total.count - outcomes.get(CANCELLED, 0)
        counted = (requests, outcomes.get("5xx", 0), total.count - total.up_to((self._slow_above,))[0])
        before, self._before = self._before, counted
        if before is None:
            return Minute(int(now))
        if any(new < old for new, old in zip(counted, before, strict=True)):
            before = (0, 0, 0)
        ended, failed, slow = (max(0, new - old) for new, old in zip(counted, before, strict=True))
        return Minute(int(now), ended, min(failed, ended), min(slow, ended))
