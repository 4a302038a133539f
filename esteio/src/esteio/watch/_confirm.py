"""When what one watcher sees counts as down: N failures among the last M answers. Pure.

Promises: one failure is never enough where `failures` is above 1, and nothing is up or down before it was seen to be.
"""

from __future__ import annotations

from dataclasses import dataclass

from esteio.health.series import State

__all__ = ["Confirmation", "Confirmed", "confirm"]

_GOOD = (State.UP, State.DEGRADED)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Down after `failures` among the last `of` answers; up again after `recover` good ones in a row."""

    failures: int = 3
    of: int = 3
    recover: int = 1


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The `state` that is confirmed, and whether each of the answers since the last change was good; the newest is last."""

    state: State = State.UNKNOWN
    recent: tuple[bool, ...] = ()

    @property
    def suspect(self) -> bool:
        """Whether the newest answer contradicts the state, so that the next look should come soon."""
        if not self.recent:
            return self.state is State.UNKNOWN
        return self.recent[-1] is (self.state is State.DOWN)


def confirm(before: Confirmed, seen: State, rule: Confirmation) -> Confirmed:
    """What the answer `seen` makes of it; `seen` is UP, DEGRADED or DOWN."""
    good = seen in _GOOD
    recent = (*before.recent, good)[-max(rule.of, rule.recover) :]
    if good:
        if before.state is State.DOWN and not _recovered(recent, rule):
            return Confirmed(State.DOWN, recent)
        return Confirmed(seen, () if before.state is State.DOWN else recent)
    if before.state is not State.DOWN and recent[-rule.of :].count(False) < rule.failures:
        return Confirmed(before.state, recent)
    return Confirmed(State.DOWN, recent)


def _recovered(recent: tuple[bool, ...], rule: Confirmation) -> bool:
    return len(recent) >= rule.recover and all(recent[-rule.recover :])
