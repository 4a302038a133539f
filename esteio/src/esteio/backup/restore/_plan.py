"""What a restore would do, told before it does it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from esteio.backup._catalogue import Entry

__all__ = ["RestorePlan", "plan_restore"]


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """Of `backup`, of `kind`, begun at `began`; sizes in bytes, durations in seconds."""

    backup: str
    kind: str
    began: datetime
    size: int
    """Of the content, without the documents."""
    documents: int
    seconds: float | None
    """How long its last trial took to restore; None when none was held."""
    lost: float | None
    """From the moment it brings back until now: what was written since is not in it. None when that is not known."""
    passed_over: tuple[str, ...]
    """Newer backups of its kind that are not used: they failed their trial, or lie in the future."""


def plan_restore(entry: Entry, entries: Sequence[Entry], now: datetime, until: datetime | None = None) -> RestorePlan:
    """For `entry` among `entries`, brought to the moment `until` (None: when it was begun)."""
    manifest = entry.manifest
    assert manifest is not None
    newer = [
        each for each in entries if each.manifest and each.manifest.kind == manifest.kind and each.began > entry.began
    ]
    return RestorePlan(
        entry.id,
        manifest.kind,
        entry.began,
        manifest.size,
        int(manifest.details.get("documents", {}).get("files", 0)),
        entry.proof.restore_seconds if entry.verified and entry.proof else None,
        (now - (until or entry.began)).total_seconds(),
        tuple(each.id for each in newer),
    )
