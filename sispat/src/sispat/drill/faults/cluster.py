"""What can happen to three machines, in the order in which it is drilled."""

from __future__ import annotations

from esteio.drill import Fault
from sispat.drill.cluster import ClusterCity
from sispat.drill.faults.cluster_engines import ENGINES
from sispat.drill.faults.cluster_machines import MACHINES

__all__ = ["CLUSTER", "SHORT_CLUSTER"]

CLUSTER: tuple[Fault[ClusterCity], ...] = (*MACHINES, *ENGINES)
"""`sispat drill --cluster`."""

SHORT_CLUSTER = ("switchover", "primary-killed", "primary-vanished", "sentinel-failover", "certificates-renewed")
"""What the test does."""
