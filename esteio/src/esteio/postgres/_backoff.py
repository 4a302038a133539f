"""How long to wait before the next attempt.

Promises: a short outage is over for us within a tenth of a second of its end, a long one costs the
server few attempts, and processes that failed together do not come back in step.
"""

from __future__ import annotations

from collections.abc import Callable
from random import random

from esteio.policy._backoff import Exponential

__all__ = ["conflict_delay", "recheck_delay", "reconnect_delay", "role_delay"]

_RECONNECT = (  # by the age of the outage, in seconds
    (5.0, Exponential(0.02, cap=0.08)),
    (60.0, Exponential(0.02, cap=0.3)),
    (float("inf"), Exponential(0.02, cap=1.5)),
)
_RECHECK = Exponential(2.0, cap=10.0)
_CONFLICT = Exponential(0.004, cap=0.25)
_ROLE = Exponential(0.5, cap=0.5)


def reconnect_delay(failures: int, outage: float, *, random: Callable[[], float] = random) -> float:
    """Seconds to wait after `failures` failed attempts (1 or more) of an outage that lasts `outage` seconds.

    Doubles from 0.02 s to a ceiling of 0.08 s, of 0.3 s once the outage is 5 s old and 1.5 s once it is a
    minute old; between half and the whole of that by `random`.
    """
    return _jittered(next(backoff for age, backoff in _RECONNECT if outage < age), failures, random)


def recheck_delay(failures: int, *, random: Callable[[], float] = random) -> float:
    """Seconds until a server that refused our login is asked again, in case its configuration has changed: 1 to 10."""
    return _jittered(_RECHECK, failures, random)


def role_delay(*, random: Callable[[], float] = random) -> float:
    """Seconds until a server that answered, but has another role than the wanted one, is asked again: 0.25 to 0.5.

    It may be promoted at any moment, however long it was a standby before. To ask it as often as a dead server is asked
    would delay that: each answer costs it a process and both a login, of every pool of every process at the same time.
    """
    return _jittered(_ROLE, 1, random)


def conflict_delay(failures: int, *, random: Callable[[], float] = random) -> float:
    """Seconds before a transaction that lost a conflict `failures` times runs again: 0.002 to 0.25."""
    return _jittered(_CONFLICT, failures, random)


def _jittered(backoff: Exponential, failures: int, random: Callable[[], float]) -> float:
    # Never less than half, unlike a policy's full jitter: a server that is down must not be asked again at once.
    return backoff.step(failures - 1) * (0.5 + 0.5 * random())
