"""What the file of the alerts holds besides alerts, incidents and minutes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from esteio.alert._notice import Notice
from esteio.alert.incidents import Incident
from esteio.alert.objectives import Minute
from esteio.alert.rules import Alert

__all__ = ["BackupRecord", "Pending", "Stored"]


@dataclass(frozen=True, slots=True)
class BackupRecord:
    """A backup that was made, kept for the report when retention has removed it. Moments are Unix seconds, durations seconds.

    `verified` is when it was restored to verify it, None before; `sound` whether it can be counted on, by that.
    """

    name: str
    kind: str
    began: float
    size: int
    verified: float | None = None
    sound: bool = False
    restore_seconds: float | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A notice for the channels `keys` that is not in the outbox yet; `id` never comes again."""

    id: int
    notice: Notice
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """What was there when the file was opened. `at`: the last round, Unix seconds; `ended`: in order."""

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    last_incident: Incident | None = None
    minutes: Sequence[Minute] = ()
    at: float | None = None
    ended: bool = True
