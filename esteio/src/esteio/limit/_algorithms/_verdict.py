"""What every algorithm takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

__all__ = ["NEVER", "Algorithm", "Judge", "Numbers", "State", "Verdict"]

NEVER = -1
"""The `retry_us` of a cost that can't pass however long one waits."""

State: TypeAlias = tuple[int, ...]

Verdict: TypeAlias = tuple[State, bool, int, int, int]
"""(state, allowed, remaining, reset_us, retry_us): the state to keep, whether the hit passes, what is left after it,
microseconds until nothing is used any more, and microseconds until this cost could pass (0 when it does, or `NEVER`).
A plain tuple, since every decision makes one."""


class Numbers(Protocol):
    """What an algorithm reads of a `Limit`; all times in microseconds."""

    @property
    def rate(self) -> int:
        """Hits allowed in `per_us`."""
        ...

    @property
    def per_us(self) -> int:
        """Length of the window."""
        ...

    @property
    def capacity(self) -> int:
        """The largest cost that can pass: the burst of gcra, the rate of all others."""
        ...

    @property
    def grain_us(self) -> int:
        """The step in which time is told apart: of `window`, hits of one step are one cell; of `counter`, the weights."""
        ...


Judge: TypeAlias = Callable[[State, int, int, Numbers], Verdict]


class Algorithm(NamedTuple):
    """The four functions of an algorithm.

    `decide` judges a hit and charges it when it passes; a cost of 0 only looks. `charge` adds to what was used without
    asking (what was admitted elsewhere, `age` microseconds before now, 0 or more): it never leaves more than before,
    however old it is, and nothing is added that would not count any more. `refund` takes it away again, never below
    zero and always from what would expire first, so that it is never generous while the refunded hit still counts.
    `until` is the moment from which a state says no more than an empty one.
    """

    decide: Judge
    charge: Callable[[State, int, int, Numbers, int], State]
    refund: Callable[[State, int, int, Numbers], State]
    until: Callable[[State, Numbers], int]
