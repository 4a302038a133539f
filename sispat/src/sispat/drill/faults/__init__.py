"""Each way to break the service, by what is broken. A new one is a `Fault` in one of these modules."""

from __future__ import annotations

from esteio.drill import Fault
from sispat.drill.faults import backups, changes, database, disks, environment, outside, overload, processes
from sispat.drill.load import City

__all__ = ["FAULTS", "OWN_SURROUNDINGS", "SHORT"]

FAULTS: tuple[Fault[City], ...] = (
    *processes.FAULTS,
    *database.FAULTS,
    *backups.FAULTS,
    *outside.FAULTS,
    *overload.FAULTS,
    *changes.FAULTS,
    *environment.FAULTS,
    *disks.FAULTS,
)
"""In the order in which they are drilled: what takes longest and breaks most comes last."""

OWN_SURROUNDINGS = frozenset(fault.name for fault in (*environment.FAULTS, *disks.FAULTS))
"""Those that want disks, names, a clock and Sentinels of the service's own: they are drilled on a second service, so that
the others are measured without them."""

SHORT = (
    "worker-killed", "operator-killed", "receiver-killed", "backend-killed", "postgres-killed", "store-away", "cep-away",
    "reload",
)  # fmt: skip
"""The cheapest: `sispat drill --short`, and the test."""
