"""What a watcher sees at a moment, for whoever shows it or decides on it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from esteio.alert.rules import Severity
from esteio.health.series import State

__all__ = ["ISOLATED", "WATCHER", "Seen", "Sight", "Subject"]

ISOLATED = "watch:isolated"
"""The alert that this watcher is cut off."""
WATCHER = "watcher:"
"""Begins the name of another watcher."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that is watched: a probe, a job (`heartbeat`) or another watcher (`watcher`)."""

    name: str
    title: str
    kind: str
    severity: Severity
    depends_on: tuple[str, ...] = ()
    confirmed_after: float = 0.0
    """Seconds from the first failure to a state that is confirmed, at most."""
    interval: float = 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The `state` without regard to maintenance, and why it is not up; `observed` in `unit`, of the last answer.

    `maintenance` is when the announced work on it ends, Unix seconds; None where there is none.
    """

    state: State
    reason: str = ""
    observed: float | None = None
    unit: str = ""
    down_from: tuple[str, ...] = ()
    """The watchers that see it down."""
    maintenance: float | None = None

    @property
    def shown(self) -> State:
        """The state in which its time counts."""
        return self.state if self.maintenance is None else State.MAINTENANCE


@dataclass(frozen=True, slots=True)
class Sight:
    """All that is known `at`, Unix seconds. `told_by`: probes of which another watcher tells, and which."""

    at: float
    seen: Mapping[str, Seen] = field(default_factory=dict)
    isolated: bool = False
    told_by: Mapping[str, str] = field(default_factory=dict)

    @property
    def essence(self) -> tuple[object, ...]:
        """What a change of is worth telling and writing down at once."""
        states = {name: (each.shown, each.state, each.down_from) for name, each in self.seen.items()}
        return states, self.isolated, self.told_by
