"""A service closed for a while on purpose: one switch that all its processes see.

`Maintenance` is the switch, `Notice` what it says; `esteio.web.MaintenancePage` answers requests while it is on.
"""

from __future__ import annotations

from esteio.maintenance._notice import Notice
from esteio.maintenance._switch import Maintenance, MaintenanceError, MaintenanceHeld

__all__ = ["Maintenance", "MaintenanceError", "MaintenanceHeld", "Notice"]
