"""Several hits decided together. Pure: states come from and go to the caller, which holds its lock.

Promises: all or nothing. A key that occurs twice is charged twice. What does not pass changes no state.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from esteio.limit._algorithms import State
from esteio.limit._decision import Decision, decided
from esteio.limit._limit import Hit

__all__ = ["decide_group"]

Place = TypeVar("Place", bound=Hashable)


def decide_group(
    hits: Sequence[Hit], places: Sequence[Place], read: Callable[[Place], State], now: int, charge: bool
) -> tuple[list[Decision], dict[Place, tuple[State, int]]]:
    """The decisions, and what to keep: for each place its new state and the microseconds until that is unused.

    `places` says where the state of each hit is. Nothing is to be kept unless all hits passed and `charge`.
    """
    kept: dict[Place, tuple[State, int]] = {}
    decisions = []
    for hit, place in zip(hits, places, strict=True):
        state = kept[place][0] if place in kept else read(place)
        verdict = hit.limit.decide(state, now, hit.cost)
        decisions.append(decided(verdict, hit.limit, hit.key, hit.cost))
        kept[place] = verdict[0], verdict[3]
    if charge and all(decisions):
        return decisions, kept
    return [
        _uncharged(each, read(place), now) if each else each for each, place in zip(decisions, places, strict=True)
    ], {}


def _uncharged(passed: Decision, state: State, now: int) -> Decision:
    """A hit that would pass but is not charged: what is left is what was left before it."""
    return decided(passed.limit.decide(state, now, 0), passed.limit, passed.key, passed.cost)
