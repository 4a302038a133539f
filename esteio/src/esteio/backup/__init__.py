"""Backups that have been restored before they are believed."""

from __future__ import annotations

from importlib.util import find_spec

from esteio.extras import needs

with needs("backup"):
    import cronsim  # noqa: F401 - whether it is there

    if find_spec("obstore") is None:  # not imported here: a directory needs nothing of it, and it takes long
        raise ModuleNotFoundError("No module named 'obstore'", name="obstore")
    import psycopg  # noqa: F401 - whether it is there
    import pyrage  # type: ignore[import-untyped]  # noqa: F401 - whether it is there
    import zstandard  # noqa: F401 - whether it is there

from esteio.backup._backups import MOST_JOBS, Backups, Run, default_packing
from esteio.backup._catalogue import Entry
from esteio.backup._details import Detail, DetailCode, detail_of
from esteio.backup._errors import (
    AlreadyRunning,
    BackupDamaged,
    BackupError,
    BackupNotFound,
    CannotVerify,
    DatabaseRefused,
    DeleteRefused,
    EncryptionRequired,
    LeaseHeld,
    LeaseLost,
    LockRefused,
    ManifestError,
    NotConfirmed,
    NotLeader,
    RestoreRefused,
    RestoreUnclear,
    StoreInUse,
    ToolError,
    ToolFailed,
    ToolMissing,
    VerificationFailed,
)
from esteio.backup._events import BackupFailed, BackupMade, BackupRunEnded, BackupVerified
from esteio.backup._lease import StoreLease
from esteio.backup._manifest import Database, Grant, Manifest, Part, TableDigest
from esteio.backup._marker import Marker
from esteio.backup._problem import CopyDefect, Problem, ProblemCode
from esteio.backup._retention import Decision, Retention, Why
from esteio.backup._status import Status
from esteio.backup._sync import Copies, SyncResult
from esteio.backup._verification import Marks, Verification
from esteio.backup.dump import LeftOut
from esteio.backup.restore import Restored, RestorePlan

__all__ = [
    "MOST_JOBS",
    "AlreadyRunning",
    "BackupDamaged",
    "BackupError",
    "BackupFailed",
    "BackupMade",
    "BackupNotFound",
    "BackupRunEnded",
    "BackupVerified",
    "Backups",
    "CannotVerify",
    "Copies",
    "CopyDefect",
    "Database",
    "DatabaseRefused",
    "Decision",
    "DeleteRefused",
    "Detail",
    "DetailCode",
    "EncryptionRequired",
    "Entry",
    "Grant",
    "LeaseHeld",
    "LeaseLost",
    "LeftOut",
    "LockRefused",
    "Manifest",
    "ManifestError",
    "Marker",
    "Marks",
    "NotConfirmed",
    "NotLeader",
    "Part",
    "Problem",
    "ProblemCode",
    "RestorePlan",
    "RestoreRefused",
    "RestoreUnclear",
    "Restored",
    "Retention",
    "Run",
    "Status",
    "StoreInUse",
    "StoreLease",
    "SyncResult",
    "TableDigest",
    "ToolError",
    "ToolFailed",
    "ToolMissing",
    "Verification",
    "VerificationFailed",
    "Why",
    "default_packing",
    "detail_of",
]
