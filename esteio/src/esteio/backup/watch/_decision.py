"""What of the problems that were found has to be told. Pure: time comes in.

Promises: red only for what two looks in a row have found, and green only after red, when two looks in a row have found
nothing. While it lasts a problem is told once in `AGAIN` seconds; one that comes and goes, once in `COOLDOWN`. One that
stays is always told in the end: words with a digit in them, such as an age that grows or a file that is another one at
each look, make no other problem of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["AGAIN", "COOLDOWN", "Decision", "Memory", "decide"]

AGAIN = 86400.0
COOLDOWN = 3600.0
_LOOKS = 2
_PARTICULAR = re.compile(r"\S*\d\S*")


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered from look to look."""

    seen: frozenset[str] = frozenset()
    """What the last look found."""
    told: Mapping[str, float] = field(default_factory=dict)
    """When each problem was last told, in seconds since the epoch."""
    red: bool = False
    """Whether red was told, and green not yet."""
    clear: int = 0
    """Looks in a row that found nothing, counted as far as they matter."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to tell: `red` problems, or that all is `green` again, or nothing; and what to remember."""

    red: tuple[str, ...]
    green: bool
    memory: Memory


def decide(memory: Memory, problems: Sequence[str], now: float) -> Decision:
    """What a look that found `problems` at `now` (seconds since the epoch) leads to."""
    found = {_PARTICULAR.sub("#", problem): problem for problem in problems}
    # When the clock was set back, nothing was told in the future.
    told = {each: min(when, now) for each, when in memory.told.items() if now - when < AGAIN}
    lasting = [each for each in found if each in memory.seen]
    due = [each for each in lasting if each not in told or (not memory.red and now - told[each] >= COOLDOWN)]
    if due:
        told |= dict.fromkeys(lasting, now)
    clear = 0 if found else min(memory.clear + 1, _LOOKS)
    green = memory.red and clear == _LOOKS
    red = tuple(found[each] for each in lasting) if due else ()
    return Decision(red, green, Memory(frozenset(found), told, bool(due) or (memory.red and not green), clear))
