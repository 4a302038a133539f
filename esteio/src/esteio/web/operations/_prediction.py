"""The year that the drill predicts beside the one that was lived.

Promises: what `drill.json` does not say, or says in another form, is not shown; the lived time says of how many days it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from esteio.alert.monitor import uptime_until
from esteio.health import HistoryReader
from esteio.health.series import SERVICE, State

__all__ = ["Prediction", "read_prediction"]

_YEAR = 365 * 86_400.0
_TOTALS = ("software", "with_changes", "with_site")
_LARGEST = 20_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Prediction:
    """Minutes away in a year: median, and the ends of the 90 % interval, by what counts; when the drill was, Unix seconds.

    `lived` and `observed` are minutes of the last year: away, and seen at all outside of maintenance.
    """

    at: float
    totals: Mapping[str, tuple[float, float, float]]
    lived: float
    observed: float


def read_prediction(path: Path, history: HistoryReader | None, now: float) -> Prediction | None:
    """What the drill wrote to `path`; None when it did not, or it can't be understood. Blocks."""
    try:
        if path.stat().st_size > _LARGEST:
            return None
        found = json.loads(path.read_text("utf-8"))
        at, given = datetime.fromisoformat(found["at"]).timestamp(), found["prediction"]
        totals = {
            name: (float(given[name]["median"]), float(given[name]["low"]), float(given[name]["high"]))
            for name in _TOTALS
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
    year = uptime_until(history, SERVICE, _YEAR, now).seconds if history is not None else {}
    down = year.get(State.DOWN, 0.0)
    return Prediction(at, totals, down / 60, (down + year.get(State.UP, 0.0) + year.get(State.DEGRADED, 0.0)) / 60)
