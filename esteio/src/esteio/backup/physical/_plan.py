"""Which backups and which log bring a cluster to a moment. Pure.

Promises: the newest base that ended before the moment, with the incrementals it needs and the log from there without
a gap; a moment that can't be reached is a `RestoreRefused` that shows the window which can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from esteio.backup._errors import RestoreRefused
from esteio.backup._manifest import Manifest
from esteio.backup.physical._inventory import Wal
from esteio.backup.physical._segments import Segment, lsn_bytes, run_from

__all__ = ["Plan", "Window", "first_segment", "plan", "unneeded", "window"]

_MARGIN = timedelta(hours=1)  # clocks of stores and server may differ


@dataclass(frozen=True, slots=True)
class Window:
    """What can be restored from one base: any second from `begins` to `ends`, both included."""

    begins: datetime
    ends: datetime

    def __str__(self) -> str:
        return f"{self.begins.isoformat(' ', 'seconds')} to {self.ends.isoformat(' ', 'seconds')}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to restore: `chain` is the full backup and its incrementals in order, `log` what is replayed after."""

    chain: tuple[Manifest, ...]
    log: tuple[Wal, ...]
    target: datetime | None
    window: Window

    @property
    def base(self) -> Manifest:
        """The last of the chain."""
        return self.chain[-1]

    @property
    def size(self) -> int:
        """Bytes that are needed on disk at most, the log included."""
        twice = 2 if len(self.chain) > 1 else 1
        return twice * sum(backup.size for backup in self.chain) + sum(wal.segment.size for wal in self.log)


def first_segment(base: Manifest) -> Segment:
    """The first segment that is needed to go on from a base backup: the one after its own log."""
    size = int(base.details["segment_size"])
    return Segment.holding(int(base.details["timeline"]), lsn_bytes(base.details["end_lsn"]) - 1, size).next


def window(base: Manifest, log: Sequence[Wal]) -> Window:
    """What can be reached from `base` with `log`."""
    begins = datetime.fromisoformat(base.details["ended"])
    followed = _followed(base, log)
    ends = max([begins, *(datetime.fromtimestamp(wal.until, UTC) for wal in followed[-1:])])
    return Window(begins, ends)


def plan(backups: Sequence[Manifest], log: Sequence[Wal], target: datetime | None, *, name: str) -> Plan:
    """How to reach `target` (None: the last moment there is); RestoreRefused for cluster `name` when that can't be.

    ValueError for a target without a timezone: two hours are lost that way, or replayed.
    """
    if target is not None and target.tzinfo is None:
        msg = f"the target {target} has no timezone; write 2026-03-01 14:30:00-03:00, or +00:00 for UTC"
        raise ValueError(msg)
    bases = sorted((b for b in backups if b.kind in ("base", "incremental")), key=lambda b: str(b.details["ended"]))
    if not bases:
        raise RestoreRefused(name, "there is no base backup", "make one with `backup run --kind base`")
    fitting = [b for b in bases if target is None or datetime.fromisoformat(b.details["ended"]) <= target]
    if not fitting:
        raise _unreachable(name, target, window(bases[0], log), "")
    base = fitting[-1]
    reach = window(base, log)
    followed = _followed(base, log)
    if target is not None and target > reach.ends:
        raise _unreachable(name, target, reach, _hole(base, log, followed))
    return Plan(_chain(base, backups, name), _needed(followed, target), target, reach)


def unneeded(bases: Sequence[Manifest], log: Sequence[Wal]) -> tuple[Wal, ...]:
    """The log that none of `bases` needs: before the first of its timeline, or on timelines before all of theirs."""
    firsts: dict[int, Segment] = {}
    for first in map(first_segment, bases):
        firsts[first.timeline] = min(first, firsts.get(first.timeline, first))
    oldest = min(firsts, default=0)
    return tuple(
        wal
        for wal in log
        if wal.segment.timeline < oldest or wal.segment < firsts.get(wal.segment.timeline, wal.segment)
    )


def _followed(base: Manifest, log: Sequence[Wal]) -> tuple[Wal, ...]:
    """The log after `base` up to the first gap, or to the first segment that is not complete."""
    known = {wal.segment: wal for wal in log}
    run: list[Wal] = []
    for segment in run_from(first_segment(base), known):
        run.append(known[segment])
        if known[segment].partial:
            break
    return tuple(run)


def _needed(followed: tuple[Wal, ...], target: datetime | None) -> tuple[Wal, ...]:
    if target is None:
        return followed
    limit = (target + _MARGIN).timestamp()
    before = [wal for wal in followed if wal.until < limit]
    return followed[: len(before) + 1]


def _hole(base: Manifest, log: Sequence[Wal], followed: tuple[Wal, ...]) -> str:
    """Which segment is missing, where more of the log lies beyond it."""
    missing = followed[-1].segment.next if followed else first_segment(base)
    beyond = any(w.segment.timeline == missing.timeline and w.segment.number > missing.number for w in log)
    return f"; segment {missing.name} is missing" if beyond else ""


def _chain(base: Manifest, backups: Sequence[Manifest], name: str) -> tuple[Manifest, ...]:
    known: Mapping[str, Manifest] = {backup.id: backup for backup in backups}
    wanted = [str(backup) for backup in base.details["needs"]]
    missing = [backup for backup in wanted if backup not in known]
    if missing:
        reason = f"{base.id} needs {', '.join(missing)}, which is gone"
        raise RestoreRefused(name, reason, "restore an older moment from another base backup")
    return (*(known[backup] for backup in wanted), base)


def _unreachable(name: str, target: datetime | None, reach: Window, why: str) -> RestoreRefused:
    reason = f"{target and target.isoformat(' ')} can't be reached{why}"
    return RestoreRefused(name, reason, f"what can be reached is {reach}")
