"""An alert as it stands, and what somebody is to be told of it. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from esteio.alert.rules._rule import Severity

__all__ = ["Alert", "Kind", "Message"]


@dataclass(frozen=True, slots=True)
class Alert:
    """What is known of one rule. Moments are Unix seconds; durations, in seconds, are of the rounds and not of the clock."""

    name: str
    level: float = 0.0
    """From 0, well, to 1, where it begins to fire; it ends when the level is 0 again."""
    bad: bool = False
    """What its signal said last, when it said anything."""
    bad_since: float | None = None
    """When this episode's first bad signal was seen."""
    firing_since: float | None = None
    firing_for: float = 0.0
    reason: str = ""
    """Of the signal that made it fire, or of the newest bad one since."""
    told: tuple[str, ...] | None = None
    """Keys of the channels that were told; None while nobody was."""
    told_at: float | None = None
    repeated_for: float = 0.0
    """Since somebody was last told."""
    escalated: bool = False
    acknowledged: str = ""
    """By whom."""
    held: str = ""
    """Why nobody is told though it fires: `inhibited`, `silenced`, `maintenance`, `quiet` or `settling`."""
    openings: tuple[float, ...] = ()
    """When it fired, in the last day."""
    cleared_for: float | None = None
    """Since it last fired; None when it does, or never did."""

    @property
    def firing(self) -> bool:
        """Whether it is an alert now."""
        return self.firing_since is not None

    def to_json(self) -> dict[str, Any]:
        """As a record."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Alert:
        """From a record; TypeError when it is none."""
        told = given.get("told")
        return cls(
            **{
                **given,
                "told": None if told is None else tuple(told),
                "openings": tuple(given.get("openings", ())),
            }
        )


class Kind(StrEnum):
    """Why somebody is told."""

    OPENED = "opened"
    RECOVERED = "recovered"
    REPEATED = "repeated"
    ESCALATED = "escalated"


@dataclass(frozen=True, slots=True)
class Message:
    """One notice: all `alerts` of one `kind` and `severity` of one round, for the channels with these keys."""

    kind: Kind
    severity: Severity
    alerts: tuple[Alert, ...]
    channels: tuple[str, ...]
    at: float
