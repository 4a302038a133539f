"""The WAL of a cluster: received, shipped to every store, listed, fetched and repaired."""

from __future__ import annotations

from esteio.backup.archive._fetch import packing_with_known_key
from esteio.backup.archive._inventory import Wal, inventory
from esteio.backup.archive._receive import ArchiveFailed, WalArchive
from esteio.backup.archive._repair import Repaired
from esteio.backup.archive._segments import Segment, gaps
from esteio.backup.archive._ship import StoreLag, WalConflict, WalMismatch
from esteio.backup.archive._spool import Limit, WalGap, WalMended, WalNotShipped, WalShipped
from esteio.backup.archive._status import WalStatus, read_status

__all__ = [
    "ArchiveFailed",
    "Limit",
    "Repaired",
    "Segment",
    "StoreLag",
    "Wal",
    "WalArchive",
    "WalConflict",
    "WalGap",
    "WalMended",
    "WalMismatch",
    "WalNotShipped",
    "WalShipped",
    "WalStatus",
    "gaps",
    "inventory",
    "packing_with_known_key",
    "read_status",
]
