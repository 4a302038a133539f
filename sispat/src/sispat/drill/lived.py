"""The incidents that the SISPAT of this machine lived, by cause, and over how much of a year somebody looked.

Promises: read from what the operator has written, without the service; where there is none, nothing was lived. What was under
maintenance counts neither as an incident nor as time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from esteio.alert.incidents import Incident
from esteio.alert.monitor import Alerts

__all__ = ["Lived", "lived"]

_YEAR = 365 * 86_400.0
_ALL = 10_000  # incidents: as many as are kept
_DIED = "process-died"


@dataclass(frozen=True, slots=True)
class Lived:
    """How often each cause of `rates.toml` was seen in `years`."""

    incidents: Mapping[str, int]
    years: float


def lived(alerts: Alerts) -> Lived:
    """All that is known; the time and the incidents are of the same file, so that neither outlives the other."""
    counted = Counter(_cause(each) for each in alerts.incidents(most=_ALL) if not each.maintenance)
    return Lived(counted, alerts.between(0.0, time.time()).seen / _YEAR)


def _cause(incident: Incident) -> str:
    """Its cause; of a process that died, by which one it was: the database, or everything at once."""
    who = {each.detail.partition(":")[0] for each in incident.evidence if each.code == _DIED}
    if incident.cause != _DIED:
        return incident.cause
    if "everything" in who:
        return "boot"
    return "database-shutdown" if who == {"PostgreSQL"} else _DIED
