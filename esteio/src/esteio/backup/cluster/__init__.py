"""Base backups and WAL of one cluster, as `Backups` keeps them: back to any second, beside or in place."""

from __future__ import annotations

from esteio.backup.cluster._cluster import KINDS, ClusterBackups
from esteio.backup.cluster._in_place import (
    recover_beside,
    recover_in_place,
    recover_server,
    require_stopped,
    rewrite_in_place,
    swap,
)

__all__ = [
    "KINDS",
    "ClusterBackups",
    "recover_beside",
    "recover_in_place",
    "recover_server",
    "require_stopped",
    "rewrite_in_place",
    "swap",
]
