"""Three machines on one: network namespaces on a bridge, each with the programs of a cluster, run as its units say.

Promises: what runs is exactly what `esteio.cluster.files_of` makes. Needs root on Linux and the programs; `missing` says what
is not there. Nothing is left when it is stopped; what a killed test left is found and removed by the next one
(`remove_stale`), and nothing that belongs to a test that still runs.
"""

from __future__ import annotations

from esteio.testing.cluster._machine import Machine, Unit
from esteio.testing.cluster._network import Network, remove_stale
from esteio.testing.cluster._programs import etcd, missing, postgres, programs, redis
from esteio.testing.cluster._stranger import answered_strangers
from esteio.testing.cluster._trio import ClusterTrio
from esteio.testing.cluster._watchdog import Watchdog

__all__ = [
    "ClusterTrio",
    "Machine",
    "Network",
    "Unit",
    "Watchdog",
    "answered_strangers",
    "etcd",
    "missing",
    "postgres",
    "programs",
    "redis",
    "remove_stale",
]
