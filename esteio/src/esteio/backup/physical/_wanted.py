"""Whether a base backup has to be made now. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from esteio.backup._manifest import Manifest
from esteio.backup.physical._inventory import Wal
from esteio.backup.physical._plan import first_segment
from esteio.backup.physical._segments import gaps

__all__ = ["why_base"]


def why_base(newest: Manifest | None, *, sound: bool, log: Sequence[Wal]) -> str | None:
    """Why, in a few words; None when the cluster can be brought back to now from the base backup `newest`.

    `sound` is false when it failed its trial; `log` is all that is known of the log.
    """
    if newest is None:
        return "there is no base backup"
    if not sound:
        return f"{newest.id} failed its trial"
    segments = [wal.segment for wal in log]
    timeline = max((segment.timeline for segment in segments), default=0)
    if timeline > int(newest.details["timeline"]):
        return f"the log went on to timeline {timeline} after {newest.id}"
    if missing := gaps(segments, first_segment(newest)):
        first, last = missing[0][0], missing[-1][1]
        return f"log missing from {first.name} to {last.name} after {newest.id}"
    return None
