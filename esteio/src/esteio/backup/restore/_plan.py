"""Which backups and which WAL bring a cluster to a target, and what a target may be. Pure.

Promises: the newest base that ended before the target and leads to it, with the incrementals it needs and the WAL from
there without a gap, across the timelines that restores began. What belongs to a target is decided by timeline, position
and the times of the transactions inside, never by when a file was stored: a copy of the stores reaches what they reached.
A target that can't be reached is a `RestoreRefused` that shows the window which can.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from esteio.backup._details import DetailCode
from esteio.backup._errors import RestoreRefused
from esteio.backup._manifest import Manifest
from esteio.backup.archive._inventory import Branch, Wal, history_file
from esteio.backup.archive._segments import Segment, gaps, lsn_bytes

__all__ = [
    "Plan",
    "Target",
    "Window",
    "base_backup_due",
    "first_segment",
    "leads_on",
    "plan",
    "time_of",
    "unneeded",
    "window",
]

_ALLOWED = "xid:1234, lsn:0/3000028, name:RESTORE_POINT or immediate"
_XID = re.compile(r"[0-9]{1,20}")
_LONGEST_NAME = 63  # bytes of a restore point's name in PostgreSQL


@dataclass(frozen=True, slots=True)
class Target:
    """`kind` and its `value`: the id of a transaction, a position, the name of a restore point (`pg_create_restore_point`).

    The transaction, or the record at the position, is the last that is replayed. `immediate` is the end of the base.
    `time` (None: the last moment) is only for `kind` time. With `timeline`, WAL is followed along that one.
    """

    kind: Literal["time", "xid", "lsn", "name", "immediate"] = "time"
    value: str = ""
    time: datetime | None = None
    timeline: int | None = None

    def __post_init__(self) -> None:
        sound = {
            "time": not self.value,
            "immediate": not self.value,
            "xid": _XID.fullmatch(self.value) is not None,
            "lsn": _is_lsn(self.value),
            "name": 0 < len(self.value.encode()) <= _LONGEST_NAME,
        }
        if not sound.get(self.kind, False) or (self.time is not None and self.kind != "time"):
            msg = f"the target {self.kind}:{self.value} can't be used; allowed: {_ALLOWED}"
            raise ValueError(msg)

    @classmethod
    def parse(cls, text: str) -> Target | None:
        """From `xid:1234` and the like; None when it is none of them, ValueError when its value can't be used."""
        kind, colon, value = text.partition(":")
        if kind in ("xid", "lsn", "name") and colon:
            return cls(kind, value)  # type: ignore[arg-type]
        return cls("immediate") if text == "immediate" else None

    @property
    def setting(self) -> dict[str, str]:
        """PostgreSQL's own setting for it."""
        if self.kind == "time":
            return {"recovery_target_time": self.time.isoformat(" ")} if self.time else {}
        if self.kind == "immediate":
            return {"recovery_target": "immediate"}
        return {f"recovery_target_{self.kind}": self.value}

    def __str__(self) -> str:
        if self.kind == "time":
            return self.time.isoformat(" ") if self.time else "the last moment"
        return self.kind if self.kind == "immediate" else f"{self.kind}:{self.value}"


def time_of(target: datetime | Target | None) -> datetime | None:
    """The time of a target; None for the last moment, and for those that are no time."""
    return target.time if isinstance(target, Target) else target


def _is_lsn(text: str) -> bool:
    try:
        lsn_bytes(text)
    except ValueError:
        return False
    return True


_UNKNOWN = "# a timeline whose history is not known\n"


@dataclass(frozen=True, slots=True)
class Window:
    """What can be restored from one base: any second from `begins` to `ends`, both included."""

    begins: datetime
    ends: datetime

    def __str__(self) -> str:
        begins = _rounded_up(self.begins)
        return f"{begins.isoformat(' ', 'seconds')} to {max(begins, self.ends).isoformat(' ', 'seconds')}"


def _rounded_up(moment: datetime) -> datetime:
    """To the next whole second, so that what is shown can be typed and is within."""
    return moment if not moment.microsecond else moment.replace(microsecond=0) + timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to restore: `chain` is the full backup and its incrementals in order, `log` what is replayed after."""

    chain: tuple[Manifest, ...]
    log: tuple[Wal, ...]
    target: datetime | None
    """The time at which replay stops; None for the last moment, and for a `stop`."""
    window: Window
    branch: Branch | None = None
    """Along which the log goes on, where that is not the base's own timeline."""
    stop: Target | None = None
    """Where replay stops, if that is no time."""
    histories: Mapping[str, str] = field(default_factory=dict)
    """By name, the history files of all timelines known beyond the base's: the server must not use their numbers again."""

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


def window(base: Manifest, log: Sequence[Wal], branches: Mapping[int, Branch] | None = None) -> Window:
    """What can be reached from `base` with `log`, on the newest of the timelines that lead on from it."""
    way = _way([base], log, branches or {}, None)
    return _window(base, way.followed if way else ())


def plan(
    backups: Sequence[Manifest],
    log: Sequence[Wal],
    target: datetime | Target | None,
    *,
    name: str,
    branches: Mapping[int, Branch] | None = None,
    failed: Collection[str] = (),
) -> Plan:
    """How to reach `target` (None: the last moment there is); RestoreRefused for cluster `name` when that can't be.

    After a restore the log goes on along a branch, one of `branches`; the one taken is the newest that had begun at
    `target`. Of the backups that `failed` their verification one is taken only when there is no other. ValueError for a target
    without a timezone: two hours are lost that way, or replayed. Which base a transaction or a restore point comes after is
    not known: the oldest is taken whose WAL leads on without a gap.
    """
    wanted = target if isinstance(target, Target) else Target(time=target)
    target = wanted.time
    if target is not None and target.tzinfo is None:
        msg = f"the target {target} has no timezone; write 2026-03-01 14:30:00-03:00, or +00:00 for UTC"
        raise ValueError(msg)
    bases = sorted((b for b in backups if b.kind in ("base", "incremental")), key=lambda b: str(b.details["ended"]))
    if not bases:
        raise RestoreRefused(name, DetailCode.NO_BASE(), DetailCode.MAKE_BASE())
    fitting = [base for base in bases if _ended_before(base, wanted)]
    if not fitting:
        raise _unreachable(name, wanted, window(bases[0], log, branches), "")
    sound = [base for base in fitting if base.id not in failed] or fitting
    way = _way(sound, log, branches or {}, target, wanted.timeline)
    if way is not None and wanted.kind in ("xid", "name"):
        way = _oldest_way(sound, way, log, branches or {})
    if way is None:
        reason = DetailCode.NO_BASE_ON_TIMELINE(timeline=str(wanted.timeline))
        raise RestoreRefused(name, reason, DetailCode.CHOOSE_TIMELINE())
    reach = _window(way.base, way.followed)
    if (target is not None and target > reach.ends) or not _holds_position(way, wanted):
        raise _unreachable(name, wanted, reach, _hole(way, log))
    needed = () if wanted.kind == "immediate" else _needed(way.followed, target)
    stop = None if wanted.kind == "time" else wanted
    histories = _histories(way.base, log, branches or {})
    return Plan(_chain(way.base, backups, name), needed, target, reach, way.branch, stop, histories)


def _ended_before(base: Manifest, wanted: Target) -> bool:
    if wanted.kind == "lsn":
        return lsn_bytes(base.details["end_lsn"]) <= lsn_bytes(wanted.value)
    return wanted.time is None or datetime.fromisoformat(base.details["ended"]) <= wanted.time


def _oldest_way(bases: Sequence[Manifest], newest: _Way, log: Sequence[Wal], branches: Mapping[int, Branch]) -> _Way:
    """To where `newest` leads, from the oldest base that leads there too."""
    known = {wal.segment: wal for wal in log}
    timeline = newest.branch.timeline if newest.branch else int(newest.base.details["timeline"])
    end = newest.followed[-1:]
    for base in bases:
        way = _along(base, timeline, branches.get(timeline), known)
        if way is not None and way.followed[-1:] == end:
            return way
    return newest


def _holds_position(way: _Way, wanted: Target) -> bool:
    """Whether the WAL of `way` has the position that is wanted, if one is."""
    if wanted.kind != "lsn":
        return True
    position = lsn_bytes(wanted.value)
    ends = [(wal.segment.number + 1) * wal.segment.size for wal in way.followed]
    return position < max(ends, default=lsn_bytes(way.base.details["end_lsn"]) + 1)


def unneeded(bases: Sequence[Manifest], log: Sequence[Wal]) -> tuple[Wal, ...]:
    """The log that none of `bases` needs: before the first of the oldest timeline that has one, or older still."""
    oldest = min(map(first_segment, bases), default=None)
    return tuple(wal for wal in log if oldest is not None and wal.segment < oldest)


@dataclass(frozen=True, slots=True)
class _Way:
    """From a base along the log, up to the first gap or the first segment that is not complete."""

    base: Manifest
    branch: Branch | None
    followed: tuple[Wal, ...]


def _way(
    bases: Sequence[Manifest],
    log: Sequence[Wal],
    branches: Mapping[int, Branch],
    target: datetime | None,
    chosen: int | None = None,
) -> _Way | None:
    """From the newest of `bases` (the oldest first) that leads to the newest timeline that had begun at `target`.

    With `chosen`, to that timeline; None only when no base leads there.
    """
    begun = [b for b in branches.values() if target is None or _begun(b, log) <= target.timestamp()]
    known = {wal.segment: wal for wal in log}
    own = {int(base.details["timeline"]) for base in bases}
    candidates = own | {branch.timeline for branch in begun} if chosen is None else {chosen}
    for timeline in sorted(candidates, reverse=True):
        for base in reversed(bases):
            way = _along(base, timeline, branches.get(timeline), known)
            if way is not None:
                return way
    return None


def _begun(branch: Branch, log: Sequence[Wal]) -> float:
    """When the first transaction on its own timeline ended; never, when none is known."""
    own = [wal.first for wal in log if wal.segment.timeline == branch.timeline and wal.first is not None]
    return min(own, default=float("inf"))


def _along(base: Manifest, timeline: int, branch: Branch | None, known: Mapping[Segment, Wal]) -> _Way | None:
    """The way to `timeline`; None when the base, or the log, does not lead there."""
    first = first_segment(base)
    if timeline == first.timeline:
        return _Way(base, None, _followed(first.number, lambda number: replace(first, number=number), known))
    left = branch.left(first.timeline) if branch is not None else None
    if branch is None or left is None or left < lsn_bytes(base.details["end_lsn"]):
        return None
    begins = min(first.number, left // first.size)  # the branch has its own copy of the segment it was left in
    followed = _followed(begins, lambda number: branch.segment(number, first.size), known)
    return _Way(base, branch, followed) if any(wal.segment.timeline == timeline for wal in followed) else None


def leads_on(base: Manifest, log: Sequence[Wal], branches: Mapping[int, Branch]) -> bool:
    """Whether `base` and the WAL after it lead, without a gap, to the last segment of the newest timeline in `log`.

    So they do after a switchover, and after a restore to a moment behind the base, once the new timeline's history is known.
    """
    last = max((wal.segment for wal in log), default=None)
    if last is None:
        return True
    way = _along(base, last.timeline, branches.get(last.timeline), {wal.segment: wal for wal in log})
    return way is not None and bool(way.followed) and way.followed[-1].segment == last


def _followed(number: int, named: Callable[[int], Segment], known: Mapping[Segment, Wal]) -> tuple[Wal, ...]:
    run: list[Wal] = []
    while (wal := known.get(named(number))) is not None:
        run.append(wal)
        if wal.partial:
            break
        number += 1
    return tuple(run)


def _window(base: Manifest, followed: Sequence[Wal]) -> Window:
    """Up to the last transaction in the WAL: PostgreSQL stops at the first one after the target, and needs to see it."""
    begins = datetime.fromisoformat(base.details["ended"])
    ends = (datetime.fromtimestamp(wal.last, UTC) for wal in followed if wal.last is not None)
    return Window(begins, max([begins, *ends]))


def _needed(followed: tuple[Wal, ...], target: datetime | None) -> tuple[Wal, ...]:
    """All of it, but for what comes after the first transaction that ended after the target: there replay stops."""
    if target is not None:
        for number, wal in enumerate(followed):
            if wal.last is not None and wal.last > target.timestamp():
                return followed[: number + 1]
    return followed


def _histories(base: Manifest, log: Sequence[Wal], branches: Mapping[int, Branch]) -> Mapping[str, str]:
    own = int(base.details["timeline"])
    known = max([own, *branches, *(wal.segment.timeline for wal in log)])
    return {history_file(t): branches[t].text if t in branches else _UNKNOWN for t in range(own + 1, known + 1)}


def _hole(way: _Way, log: Sequence[Wal]) -> str:
    """The segment that is missing, or of which only the beginning is there, where more of the log lies beyond it."""
    last = way.followed[-1] if way.followed else None
    missing = first_segment(way.base) if last is None else last.segment if last.partial else last.segment.next
    beyond = any(w.segment.timeline == missing.timeline and w.segment.number > missing.number for w in log)
    return missing.name if beyond else ""


def _chain(base: Manifest, backups: Sequence[Manifest], name: str) -> tuple[Manifest, ...]:
    known: Mapping[str, Manifest] = {backup.id: backup for backup in backups}
    wanted = [str(backup) for backup in base.details["needs"]]
    missing = [backup for backup in wanted if backup not in known]
    if missing:
        reason = DetailCode.CHAIN_BROKEN(backup=base.id, missing=tuple(missing))
        raise RestoreRefused(name, reason, DetailCode.RESTORE_OLDER())
    return (*(known[backup] for backup in wanted), base)


def _unreachable(name: str, target: Target, reach: Window, missing: str) -> RestoreRefused:
    reason = DetailCode.UNREACHABLE(target=str(target))
    if missing:
        reason = DetailCode.UNREACHABLE_GAP(target=str(target), segment=missing)
    return RestoreRefused(name, reason, DetailCode.REACHABLE(window=str(reach)))


def base_backup_due(newest: Manifest | None, *, sound: bool, log: Sequence[Wal]) -> str | None:
    """Why a base backup has to be made now; None when the base `newest` brings the cluster back to now by a short way.

    Once the server went on to another timeline one is made there, also where `newest` leads on to it (`leads_on`). `sound` is
    false when it failed its verification; `log` is all that is known of the WAL.
    """
    if newest is None:
        return DetailCode.NO_BASE()
    if not sound:
        return DetailCode.BACKUP_FAILED(backup=newest.id)
    segments = [wal.segment for wal in log]
    timeline = max((segment.timeline for segment in segments), default=0)
    if timeline > int(newest.details["timeline"]):
        return DetailCode.WAL_OTHER_TIMELINE(timeline=timeline, backup=newest.id)
    if missing := gaps(segments, first_segment(newest)):
        first, last = missing[0][0], missing[-1][1]
        return DetailCode.WAL_GAP_AFTER(first=first.name, last=last.name, backup=newest.id)
    return None
