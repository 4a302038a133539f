"""Several hits decided together. Pure: states come from and go to the caller, which holds its lock.

Promises: all or nothing. A key that occurs twice is charged twice. What does not pass changes no state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from esteio.limit._decision import Decision, decision
from esteio.limit._limit import Hit
from esteio.limit.algorithms import State

__all__ = ["Kept", "decide_group", "peeked"]

Kept = dict[tuple[str, str], tuple[Hit, State, int]]
"""(scope, key) of all that changed: the last hit on it, its new state and microseconds until it is unused."""


def decide_group(
    hits: Sequence[Hit],
    identify: Callable[[Hit], tuple[str, str]],
    read: Callable[[Hit], State],
    now: int,
    charge: bool,
) -> tuple[list[Decision], Kept]:
    """The decisions, and the states to keep: none unless all passed and `charge`."""
    kept: Kept = {}
    decisions = []
    for hit in hits:
        identity = identify(hit)
        state = kept[identity][1] if identity in kept else read(hit)
        state, allowed, remaining, reset, retry = hit.limit.decide(state, now, hit.cost)
        decisions.append(decision(allowed, hit.limit, hit.key, hit.cost, remaining, reset, retry))
        kept[identity] = hit, state, reset
    if charge and all(decisions):
        return decisions, kept
    return [peeked(each, read(hit), now) if each else each for hit, each in zip(hits, decisions, strict=True)], {}


def peeked(passed: Decision, state: State, now: int) -> Decision:
    """A hit that would pass but is not charged: what is left is what was left before it."""
    _, _, remaining, reset, _ = passed.limit.decide(state, now, 0)
    return decision(True, passed.limit, passed.key, passed.cost, remaining, reset, 0)
