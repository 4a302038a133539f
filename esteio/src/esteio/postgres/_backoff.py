"""How long to wait before the next attempt.

Promises: a short outage is over for us within a tenth of a second of its end, a long one costs the
server few attempts, and processes that failed together do not come back in step.
"""

from __future__ import annotations

from collections.abc import Callable
from random import random

__all__ = ["conflict_delay", "recheck_delay", "reconnect_delay"]

_FIRST = 0.02
_CEILINGS = ((5.0, 0.08), (60.0, 0.3), (float("inf"), 1.5))  # by the age of the outage, in seconds
_CONFLICT_FIRST = 0.004
_CONFLICT_CEILING = 0.25
_RECHECK_FIRST = 2.0
_RECHECK_CEILING = 10.0


def reconnect_delay(failures: int, outage: float, *, random: Callable[[], float] = random) -> float:
    """Seconds to wait after `failures` failed attempts (1 or more) of an outage that lasts `outage` seconds.

    Doubles from 0.02 s to a ceiling of 0.08 s, of 0.3 s once the outage is 5 s old and 1.5 s once it is a
    minute old; between half and the whole of that by `random`.
    """
    ceiling = next(ceiling for age, ceiling in _CEILINGS if outage < age)
    return _jittered(_FIRST, failures, ceiling, random)


def recheck_delay(failures: int, *, random: Callable[[], float] = random) -> float:
    """Seconds until a server that refused our login is asked again, in case its configuration has changed: 1 to 10."""
    return _jittered(_RECHECK_FIRST, failures, _RECHECK_CEILING, random)


def conflict_delay(failures: int, *, random: Callable[[], float] = random) -> float:
    """Seconds before a transaction that lost a conflict `failures` times runs again: 0.004 to 0.25."""
    return _jittered(_CONFLICT_FIRST, failures, _CONFLICT_CEILING, random)


def _jittered(first: float, failures: int, ceiling: float, random: Callable[[], float]) -> float:
    delay = min(ceiling, first * 2.0 ** min(failures - 1, 16))
    return delay * (0.5 + 0.5 * random())
