"""What the page shows, read once for each page: blocking, so in a thread. Nothing here raises for what is away."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from esteio.alert.monitor import Alerts
from esteio.health import HistoryReader, Measurements, Report
from esteio.health.series import FIVE_MINUTES, Interval, Mark, Point, Reading
from esteio.web._alerts import AlertFacts, read_alerts
from esteio.web._watched import read_backups
from esteio.web.operations._prediction import Prediction, read_prediction

__all__ = ["WINDOWS", "Facts", "gather"]

DAY = 86_400.0
WINDOWS = {"24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY}
_FRESH = 180.0  # seconds
_CHARTED = ("requests.rate", "requests.errors", "requests.p50", "requests.p95", "requests.p99")


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything of one page, as of `now`, Unix seconds."""

    now: float
    window: str
    report: Report
    closed: bool
    kept: bool
    """Whether there is to be a history."""
    intervals: Mapping[str, Sequence[Interval]]
    """Of 90 days."""
    watched_at: float | None
    """When somebody last looked; None: never."""
    series: Mapping[str, Sequence[Point]]
    """Of the window."""
    reading: Reading
    backups: Mapping[str, Any] | None
    marks: Sequence[Mark] = ()
    """Of 90 days, the newest last."""
    latest: Mapping[str, Point] = field(default_factory=dict)
    """The newest value of each series that is not older than three minutes."""
    alerts: AlertFacts | None = None
    """None where nobody is to decide."""
    prediction: Prediction | None = None


def gather(
    measurements: Measurements, history: HistoryReader | None, report: Report, window: str, *, closed: bool,
    backups: Path | None, alerts: Alerts | None = None, drill: Path | None = None,
) -> Facts:  # fmt: skip
    """Read it all; of what can't be read there is nothing."""
    now = time.time()
    intervals = history.intervals(now - WINDOWS["90d"], now) if history else {}
    return Facts(
        now, window, report, closed, history is not None, intervals, history.newest() if history else None,
        _series(history, window, now) if history else {}, measurements.read(), read_backups(backups) if backups else None,
        history.marks(now - WINDOWS["90d"]) if history else (),
        {name: points[-1] for name, points in history.minutes(now - _FRESH).items()} if history else {},
        read_alerts(alerts, now) if alerts is not None else None,
        read_prediction(drill, history, now) if drill is not None else None,
    )  # fmt: skip


def _series(history: HistoryReader, window: str, now: float) -> Mapping[str, Sequence[Point]]:
    """Five minutes for a day and a week, days for longer: as much as a chart can show, and a page can wait for."""
    since = now - WINDOWS[window]
    if window == "24h":
        return history.minutes(since, FIVE_MINUTES)
    if window == "7d":
        return {name: history.five_minutes(name, since) for name in _CHARTED}
    return {name: [point for point in history.days(name) if point.at >= since] for name in _CHARTED}
