"""Backups that have been restored before they are believed."""

from __future__ import annotations

from esteio.backup._errors import (
    AlreadyRunning,
    BackupDamaged,
    BackupError,
    BackupNotFound,
    ManifestError,
    NotConfirmed,
    RestoreRefused,
    ToolError,
    ToolFailed,
    ToolMissing,
    VerificationFailed,
)
from esteio.backup._manifest import Database, Grant, Manifest, Part, TableDigest

__all__ = [
    "AlreadyRunning",
    "BackupDamaged",
    "BackupError",
    "BackupNotFound",
    "Database",
    "Grant",
    "Manifest",
    "ManifestError",
    "NotConfirmed",
    "Part",
    "RestoreRefused",
    "TableDigest",
    "ToolError",
    "ToolFailed",
    "ToolMissing",
    "VerificationFailed",
]
