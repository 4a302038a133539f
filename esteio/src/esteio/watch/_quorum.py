"""What several watchers say together. Pure.

Promises: a watcher that cannot reach most of the others, and nothing that it was told to be sure of, is isolated: what it
sees failing is unknown then, never down. What one watcher alone sees failing is degraded, not down. Nobody is believed who
is isolated, or who has not looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from esteio.health.series import State

__all__ = ["View", "agree", "is_isolated", "telling"]

_VOTES = (State.UP, State.DEGRADED, State.DOWN)


@dataclass(frozen=True, slots=True)
class View:
    """What the watcher `watcher` sees, by the names of the probes; whether it is isolated, and whether it tells anybody."""

    watcher: str
    states: Mapping[str, State] = field(default_factory=dict)
    isolated: bool = False
    tells: bool = False


def is_isolated(others: int, reached: int, anchors: Iterable[bool]) -> bool:
    """Whether a watcher that reaches `reached` of `others`, and of whose anchors these answer, knows nothing of the rest."""
    anchored = list(anchors)
    if any(anchored):
        return False
    if others:
        return 2 * reached < others
    return bool(anchored)


def agree(name: str, own: View, views: Iterable[View], quorum: int | None = None) -> tuple[State, tuple[str, ...]]:
    """The state of the probe `name`, and who sees it down: watchers by name.

    Down where `quorum` watchers say so; by default, most of those that know. Where fewer do, degraded.
    """
    state = own.states.get(name, State.UNKNOWN)
    if own.isolated:
        return (State.UNKNOWN if state is State.DOWN else state), ()
    votes = {
        view.watcher: vote
        for view in (own, *views)
        if not view.isolated and (vote := view.states.get(name, State.UNKNOWN)) in _VOTES
    }
    down = tuple(sorted(watcher for watcher, vote in votes.items() if vote is State.DOWN))
    if not down:
        return state, ()
    needed = quorum or len(votes) // 2 + 1
    return (State.DOWN if len(down) >= needed else State.DEGRADED), down


def telling(own: View, views: Iterable[View]) -> dict[str, str]:
    """Which watcher tells of each probe of `own` that another one tells of: the first by name that can, and sees it too."""
    if own.isolated:
        return {}
    others = sorted(
        (view for view in views if view.tells and not view.isolated and (view.watcher < own.watcher or not own.tells)),
        key=lambda view: view.watcher,
    )
    found: dict[str, str] = {}
    for view in others:
        for name in view.states.keys() & own.states.keys():
            found.setdefault(name, view.watcher)
    return found
