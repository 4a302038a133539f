"""Backups that have been restored before they are believed."""

from __future__ import annotations

from esteio.backup._backups import Backups, Run, default_packing
from esteio.backup._catalogue import Entry
from esteio.backup._errors import (
    AlreadyRunning,
    BackupDamaged,
    BackupError,
    BackupNotFound,
    DatabaseRefused,
    ManifestError,
    NotConfirmed,
    RestoreRefused,
    ToolError,
    ToolFailed,
    ToolMissing,
    VerificationFailed,
)
from esteio.backup._events import BackupFailed, BackupMade, BackupRunEnded, BackupVerified
from esteio.backup._manifest import Database, Grant, Manifest, Part, TableDigest
from esteio.backup._proof import Proof
from esteio.backup._retention import Decision, Retention, Why
from esteio.backup._status import Status
from esteio.backup.restore import Restored

__all__ = [
    "AlreadyRunning",
    "BackupDamaged",
    "BackupError",
    "BackupFailed",
    "BackupMade",
    "BackupNotFound",
    "BackupRunEnded",
    "BackupVerified",
    "Backups",
    "Database",
    "DatabaseRefused",
    "Decision",
    "Entry",
    "Grant",
    "Manifest",
    "ManifestError",
    "NotConfirmed",
    "Part",
    "Proof",
    "RestoreRefused",
    "Restored",
    "Retention",
    "Run",
    "Status",
    "TableDigest",
    "ToolError",
    "ToolFailed",
    "ToolMissing",
    "VerificationFailed",
    "Why",
    "default_packing",
]
