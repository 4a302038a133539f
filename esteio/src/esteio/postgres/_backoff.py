"""How long to wait before the next attempt to connect.

Promises: a short outage is over for us within a fraction of a second of its end, a long one costs the
server few attempts, and processes that failed together do not come back in step.
"""

from __future__ import annotations

from collections.abc import Callable
from random import random

__all__ = ["reconnect_delay"]

_FIRST = 0.05
_CEILING = 0.3
_LONG_OUTAGE = 60.0
_LONG_CEILING = 1.5


def reconnect_delay(failures: int, outage: float, *, random: Callable[[], float] = random) -> float:
    """Seconds to wait after `failures` failed attempts (1 or more) of an outage that lasts `outage` seconds.

    Doubles from 0.05 s to a ceiling of 0.3 s (1.5 s once the outage is a minute old); between half and
    the whole of that by `random`.
    """
    ceiling = _CEILING if outage < _LONG_OUTAGE else _LONG_CEILING
    delay = min(ceiling, _FIRST * 2.0 ** min(failures - 1, 16))
    return delay * (0.5 + 0.5 * random())
