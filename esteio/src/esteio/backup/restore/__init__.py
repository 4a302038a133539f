"""A backup brought back: checked before anything is touched, swapped in by one rename, the old database kept."""

from __future__ import annotations

from esteio.backup.restore._checks import require_extensions
from esteio.backup.restore._plan import RestorePlan, plan_restore
from esteio.backup.restore._whole import Restored, restore_in_place, restore_into

__all__ = ["RestorePlan", "Restored", "plan_restore", "require_extensions", "restore_in_place", "restore_into"]
