"""The whole cluster, file by file, and its log: back to any second.

Kinds `base` and `incremental` (`take_base`), the continuous archive (`WalArchive`), and the way back (`plan`,
`recover`, `swap`).
"""

from __future__ import annotations

from esteio.backup.physical._archive import ArchiveFailed, WalArchive
from esteio.backup.physical._base import NotPossible, take_base
from esteio.backup.physical._cluster import KINDS, ClusterBackups
from esteio.backup.physical._events import WalGap, WalMended, WalNotShipped, WalShipped
from esteio.backup.physical._in_place import recover_server
from esteio.backup.physical._inventory import Wal, inventory
from esteio.backup.physical._place import packing_with_known_key
from esteio.backup.physical._plan import Plan, Window, first_segment, plan, unneeded, window
from esteio.backup.physical._recover import Recovered, recover
from esteio.backup.physical._repair import Repaired
from esteio.backup.physical._segments import Segment, gaps
from esteio.backup.physical._ship import StoreLag, WalConflict, WalMismatch
from esteio.backup.physical._spool import Limit
from esteio.backup.physical._status import WalStatus, read_status
from esteio.backup.physical._swap import require_stopped, swap
from esteio.backup.physical._target import Target, time_of
from esteio.backup.physical._together import recover_beside, recover_in_place

__all__ = [
    "KINDS",
    "ArchiveFailed",
    "ClusterBackups",
    "Limit",
    "NotPossible",
    "Plan",
    "Recovered",
    "Repaired",
    "Segment",
    "StoreLag",
    "Target",
    "Wal",
    "WalArchive",
    "WalConflict",
    "WalGap",
    "WalMended",
    "WalMismatch",
    "WalNotShipped",
    "WalShipped",
    "WalStatus",
    "Window",
    "first_segment",
    "gaps",
    "inventory",
    "packing_with_known_key",
    "plan",
    "read_status",
    "recover",
    "recover_beside",
    "recover_in_place",
    "recover_server",
    "require_stopped",
    "swap",
    "take_base",
    "time_of",
    "unneeded",
    "window",
]
