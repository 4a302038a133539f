"""What a call tells the calls inside it: when its time is up, and that somebody retries already.

One context variable for both, because each `set` costs as much as the rest of a policy. The value is a
plain tuple: when time is up (`inf` = never), the clock that this was read from, whether an outer retry
is at work.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from math import inf
from time import monotonic as system_monotonic

from esteio.clock import Clock, SystemClock

__all__ = ["ONLY_RETRYING", "OPEN_END", "SCOPE", "Scope", "leave", "time_source"]

Scope = tuple[float, Callable[[], float], bool]

OPEN_END: Scope = (inf, system_monotonic, False)
ONLY_RETRYING: Scope = (inf, system_monotonic, True)
SCOPE: ContextVar[Scope] = ContextVar("esteio.policy.scope", default=OPEN_END)


def leave(token: Token[Scope]) -> None:
    """Restore the outer scope."""
    try:
        SCOPE.reset(token)
    except ValueError:
        return  # an abandoned coroutine is closed in somebody else's context: nothing of ours is there to restore


def time_source(clock: Clock) -> Callable[[], float]:
    """The cheapest way to ask `clock` for monotonic seconds."""
    return system_monotonic if type(clock) is SystemClock else clock.monotonic
