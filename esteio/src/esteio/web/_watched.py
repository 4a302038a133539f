"""On the page of metrics: what others watch from beside the workers, as they last wrote it down, with its age.

Promises: blocking, so in a thread; what can't be read is left out, and its age tells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from esteio.health import HistoryReader
from esteio.health.series import SERVICE, State
from esteio.metrics import DEFINITIONS
from esteio.web._exposition import Page

__all__ = ["read_backups", "write_backups", "write_checks"]

_FRESH = 180.0  # seconds: an older value says nothing of now


def write_checks(page: Page, history: HistoryReader, now: float) -> None:
    """The checks of a `HostMonitor`; their states are `unknown` when nobody has looked for some minutes."""
    seen = history.newest()
    silent = max(0.0, now - seen) if seen is not None else None
    stale = silent is None or silent > _FRESH
    states = history.states()
    page.values(
        DEFINITIONS["esteio_check_state"],
        {
            (name, state.value): float(state is (State.UNKNOWN if stale else holds))
            for name, holds in states.items()
            for state in State
        },
    )
    points = history.minutes(now - _FRESH)
    values = {(name,): points[name][-1].average for name in states if name != SERVICE and points.get(name)}
    page.values(DEFINITIONS["esteio_check_value"], values)
    page.values(DEFINITIONS["esteio_check_silent_seconds"], {} if silent is None else {(): silent})


def write_backups(page: Page, path: Path, now: float) -> None:
    """What the agent that makes backups says of them."""
    found = read_backups(path)
    if found is None:
        return
    older = max(0.0, now - found["at"])
    for name, key, ages in (
        ("esteio_backup_newest_age_seconds", "newest_age", older),
        ("esteio_backup_proven_age_seconds", "verified_age", older),
        ("esteio_backup_restore_seconds", "restore_seconds", 0.0),
        ("esteio_backup_wal_lag_bytes", "lag", 0.0),
    ):
        value = found.get(key)
        page.values(DEFINITIONS[name], {(): value + ages} if isinstance(value, int | float) else {})
    problems = [*found.get("found", ()), *found.get("amiss", ())]
    page.values(DEFINITIONS["esteio_backup_problems"], {(): len(problems)})
    page.values(DEFINITIONS["esteio_backup_agent_active"], {(): float(bool(found.get("active", True)))})
    page.values(DEFINITIONS["esteio_backup_agent_silent_seconds"], {(): older})


def read_backups(path: Path) -> Mapping[str, Any] | None:
    """What the agent wrote; None when there is none, or it can't be understood."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("at"), int | float) else None
