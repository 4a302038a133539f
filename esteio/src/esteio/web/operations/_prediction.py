"""What the newest drill found: each fault, and the year that it predicts beside the one that was lived.

Promises: what `drill.json` does not say, or says in another form, is not shown; the lived time says of how many days it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from esteio.alert.monitor import uptime_until
from esteio.health import HistoryReader
from esteio.health.series import SERVICE, State

__all__ = ["LARGEST", "DrilledFault", "Prediction", "read_prediction"]

_YEAR = 365 * 86_400.0
_TOTALS = ("software", "with_changes", "with_site")
LARGEST = 20_000_000
"""Bytes of a file that is read."""


@dataclass(frozen=True, slots=True)
class DrilledFault:
    """One fault: how often it was tried, and how many of these runs prove something; seconds are medians of those."""

    name: str
    title: str
    runs: int
    valid: int
    why: str
    """Why a run proves nothing, or why it was not tried."""
    lost: int
    gap: float | None
    mttr: float | None
    """None where it did not recover, or no run is valid."""
    page: float | None
    """Until the service said it of itself."""
    alert: float | None
    planned: bool
    """An operation that has to lose nothing."""

    @property
    def proven(self) -> bool:
        """Whether every run proves something."""
        return self.runs > 0 and self.valid == self.runs

    @property
    def well(self) -> bool:
        """Proven, recovered, and nothing lost where nothing may be."""
        return self.proven and self.mttr is not None and not (self.planned and self.lost)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Minutes away in a year: median, and the ends of the 90 % interval, by what counts; when the drill was, Unix seconds.

    `lived` and `observed` are minutes of the last year: away, and seen at all outside of maintenance.
    """

    at: float
    totals: Mapping[str, tuple[float, float, float]]
    lived: float
    observed: float
    faults: tuple[DrilledFault, ...] = ()
    report: bool = False
    """Whether the drill's whole report, `drill.html`, lies beside it."""


def read_prediction(path: Path, history: HistoryReader | None, now: float) -> Prediction | None:
    """What the drill wrote to `path`; None when it did not, or it can't be understood. Blocks."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        found = json.loads(path.read_text("utf-8"))
        at, given = datetime.fromisoformat(found["at"]).timestamp(), found["prediction"]
        totals = {
            name: (float(given[name]["median"]), float(given[name]["low"]), float(given[name]["high"]))
            for name in _TOTALS
        }
        faults = tuple(map(_fault, found.get("faults", ())))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    year = uptime_until(history, SERVICE, _YEAR, now).seconds if history is not None else {}
    down = year.get(State.DOWN, 0.0)
    observed = down + year.get(State.UP, 0.0) + year.get(State.DEGRADED, 0.0)
    return Prediction(at, totals, down / 60, observed / 60, faults, path.with_suffix(".html").is_file())


def _fault(given: Mapping[str, Any]) -> DrilledFault:
    runs, detected = given["runs"], given["detected_s"]
    times = (given["longest_gap_s"], given["mttr_s"], detected["page"], detected["alert"])
    gap, mttr, page, alert = (None if each is None else float(each) for each in times)
    return DrilledFault(
        str(given["name"]), str(given["title"]), len(runs), sum(run["valid"] is True for run in runs), str(given["why"]),
        int(given["lost"]), gap, mttr, page, alert, given["planned"] is True,
    )  # fmt: skip
