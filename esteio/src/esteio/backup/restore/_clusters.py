"""Which clusters the stores hold: their bases and their WAL, told apart by system identifier. Reads lists only;
who asks for problems gives what reads the histories of timelines.

Promises: WAL of the old layout, which names no cluster, is taken for that of the oldest base. The present cluster is the
one that wrote last; where there are others it has to be accepted by a person once, or it is a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from esteio.backup._manifest import Manifest
from esteio.backup._problem import Problem, ProblemCode
from esteio.backup.archive._inventory import (
    ASIDE,
    Branch,
    Wal,
    WalList,
    best,
    history_file,
    received_wal,
    stored_wal,
)
from esteio.backup.archive._segments import Segment, WalObject, gaps
from esteio.backup.restore._plan import first_segment, leads_on
from esteio.backup.store import Stored

__all__ = ["Clusters"]

_SETTLING = 120.0  # seconds in which a segment that one store has may still be on its way to another


@dataclass(frozen=True, slots=True)
class Clusters:
    """What is known of all clusters in `bases` (sorted by their end) and `listing`, with the spool `received`."""

    bases: Sequence[Manifest]
    listing: WalList
    received: Path

    @property
    def systems(self) -> tuple[str, ...]:
        """The system identifiers, the one that wrote last at the end.

        By the ends of bases and of transactions: a file's date says when it was copied. A cluster of which neither is known
        has just begun.
        """
        latest: dict[str, float] = {
            system_of(base): datetime.fromisoformat(base.details["ended"]).timestamp() for base in self.bases
        }
        unknown: set[str] = set()
        for each in (each for held in self.listing.objects.values() for each, _ in held):
            if each.system is not None and each.last is not None:
                latest[each.system] = max(latest.get(each.system, 0.0), each.last)
            elif each.system is not None:
                unknown.add(each.system)
        latest |= {system: float("inf") for system in unknown if system not in latest}
        return tuple(sorted(latest, key=lambda system: (latest[system], system)))

    def bases_of(self, system: str) -> list[Manifest]:
        """The bases of one cluster, by their end."""
        return [base for base in self.bases if system_of(base) == system]

    def wal(self, system: str, size: int) -> tuple[Wal, ...]:
        """All segments of a cluster, each once."""
        here = self._spooled(system, size)
        return best([*stored_wal((each for each, _ in self._objects(system)), size), *here])

    def problems(
        self, now: float, allowed: float, branches: Callable[[str], Mapping[int, Branch]]
    ) -> tuple[Problem, ...]:
        """What is wrong at `now`; the newest WAL in each store may be `allowed` seconds old.

        `branches` reads the histories of a cluster's timelines; asked where the log went on to another one.
        """
        if not self.systems:
            return ()
        system, *others = reversed(self.systems)
        found = []
        if others and system not in self.listing.accepted:
            found.append(Problem.of(ProblemCode.CLUSTER_NEW, system=system, others=tuple(others)))
        found += [
            Problem.of(ProblemCode.LOG_CONFLICT, file=file, store=", ".join(self.listing.objects))
            for file in self.listing.conflicts(system)
        ]
        bases = self.bases_of(system)
        found += self._missing(bases[-1], now, branches) if bases else []
        return (*found, *self._old(system, now, allowed))

    def _missing(self, newest: Manifest, now: float, branches: Callable[[str], Mapping[int, Branch]]) -> list[Problem]:
        """What is missing of the WAL after the newest base, everywhere and in each store."""
        system, size = system_of(newest), int(newest.details["segment_size"])
        since = first_segment(newest)
        wal = self.wal(system, size)
        segments = [each.segment for each in wal]
        lacking = gaps(segments, since)
        found = [Problem.of(ProblemCode.LOG_GAP, first=first.name, last=last.name) for first, last in lacking]
        timeline = max((segment.timeline for segment in segments), default=0)
        if timeline > newest.details["timeline"] and not (
            self._tells_history(system, timeline) and leads_on(newest, wal, branches(system))
        ):
            found.append(Problem.of(ProblemCode.LOG_OTHER_TIMELINE, timeline=timeline))
        spooled = {each.segment for each in self._spooled(system, size)}
        settled = {
            segment
            for each, stored in self._objects(system)
            if not each.partial and now - stored.modified > _SETTLING and (segment := each.segment(size)) is not None
        }
        wanted = sorted(segment for segment in settled - spooled if segment >= since)
        for store in self.listing.objects:
            held = {each.segment(size) for each, _ in self._objects(system, store) if not each.partial}
            found += [
                Problem.of(ProblemCode.LOG_GAP_IN_STORE, store=store, first=first.name, last=last.name)
                for first, last in _runs(segment for segment in wanted if segment not in held)
            ]
        return found

    def _tells_history(self, system: str, timeline: int) -> bool:
        """Whether each store that answers has the history of `timeline`: without it no base before leads to it."""
        file = history_file(timeline)
        return all(any(each.file == file for each, _ in self._objects(system, store)) for store in self.listing.objects)

    def _old(self, system: str, now: float, allowed: float) -> list[Problem]:
        """The stores in which the newest WAL is too old; nothing where no WAL is kept."""
        if not self._objects(system):
            return []
        found = []
        for store in self.listing.objects:
            newest = max((stored.modified for _, stored in self._objects(system, store)), default=None)
            if newest is not None and now - newest > allowed:
                age, most = (now - newest) / 60, allowed / 60
                found.append(Problem.of(ProblemCode.LOG_OLD, store=store, minutes=age, allowed=most))
        return found

    def _objects(self, system: str, store: str | None = None) -> list[tuple[WalObject, Stored]]:
        return self.listing.of(system, former=self.is_former(system), store=store)

    def is_former(self, system: str) -> bool:
        """Whether the WAL of the old layout is this cluster's."""
        return system == (system_of(self.bases[0]) if self.bases else system)

    def _spooled(self, system: str, size: int) -> list[Wal]:
        places = [self.received / ASIDE / system, self.received / system]
        if self.is_former(system):
            places.insert(0, self.received)
        return [wal for place in places for wal in received_wal(place, size)]


def system_of(base: Manifest) -> str:
    """The system identifier of the cluster a base is of."""
    return str(base.details["system_identifier"])


def _runs(segments: Iterable[Segment]) -> list[tuple[Segment, Segment]]:
    """First and last of each unbroken run."""
    runs: list[tuple[Segment, Segment]] = []
    for segment in segments:
        if runs and runs[-1][1].next == segment:
            runs[-1] = (runs[-1][0], segment)
        else:
            runs.append((segment, segment))
    return runs
