"""A backup brought back: checked before anything is touched, swapped in by one rename, the old one kept."""

from __future__ import annotations

from esteio.backup.restore._checks import require_extensions
from esteio.backup.restore._database import Restored, RestorePlan, plan_restore, restore_in_place, restore_into
from esteio.backup.restore._plan import Plan, Target, Window, first_segment, plan, time_of, unneeded, window
from esteio.backup.restore._recover import Recovered, recover
from esteio.backup.restore._tablespaces import parse_mapping

__all__ = [
    "Plan",
    "Recovered",
    "RestorePlan",
    "Restored",
    "Target",
    "Window",
    "first_segment",
    "parse_mapping",
    "plan",
    "plan_restore",
    "recover",
    "require_extensions",
    "restore_in_place",
    "restore_into",
    "time_of",
    "unneeded",
    "window",
]
