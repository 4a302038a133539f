"""The whole cluster, file by file, and its log: back to any second.

Kinds `base` and `incremental` (`take_base`), the continuous archive (`WalArchive`), and the way back (`plan`,
`recover`, `swap`).
"""

from __future__ import annotations

from esteio.backup.physical._archive import ArchiveFailed, WalArchive
from esteio.backup.physical._base import NotPossible, take_base
from esteio.backup.physical._cluster import KINDS, ClusterBackups
from esteio.backup.physical._events import WalGap, WalNotShipped, WalShipped
from esteio.backup.physical._in_place import recover_server
from esteio.backup.physical._inventory import Wal, inventory
from esteio.backup.physical._plan import Plan, Window, first_segment, plan, unneeded, window
from esteio.backup.physical._recover import Recovered, recover
from esteio.backup.physical._segments import Segment, gaps
from esteio.backup.physical._status import WalStatus
from esteio.backup.physical._swap import require_stopped, swap
from esteio.backup.physical._together import recover_beside, recover_in_place

__all__ = [
    "KINDS",
    "ArchiveFailed",
    "ClusterBackups",
    "NotPossible",
    "Plan",
    "Recovered",
    "Segment",
    "Wal",
    "WalArchive",
    "WalGap",
    "WalNotShipped",
    "WalShipped",
    "WalStatus",
    "Window",
    "first_segment",
    "gaps",
    "inventory",
    "plan",
    "recover",
    "recover_beside",
    "recover_in_place",
    "recover_server",
    "require_stopped",
    "swap",
    "take_base",
    "unneeded",
    "window",
]
