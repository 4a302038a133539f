"""How the WAL archive is, as a frozen record, and what of it is bad. Pure, but for the file others read it from.

Promises: the archive writes it every ten seconds as long as it lives; who reads asks `problems` with the time of day, so an
archive that says nothing any more is a problem too. Ended in order it takes the file away.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from esteio.backup._details import DetailCode, from_plain, plain
from esteio.backup._problem import Problem, ProblemCode
from esteio.backup.archive._ship import StoreLag
from esteio.system import atomic_write

__all__ = ["STATUS_FILE", "WalStatus", "read_status", "write_status"]

STATUS_FILE = ".status.json"
"""In the spool."""
_LATE = 60.0  # seconds a complete segment may wait for a store
_SILENT = 60.0  # seconds without anything received: several heartbeats
_STALE = 120.0  # seconds after which an archive that wrote nothing is taken as gone
_LEAST_FREE = 1 << 30
_LARGE = 4  # a spool is told when it holds more than a fourth of what it may


@dataclass(frozen=True, slots=True)
class WalStatus:
    """Of one archive, measured at `at` (seconds since the epoch). Sizes are bytes."""

    at: float
    system: str
    """The system identifier of the cluster; empty when the server never answered."""
    receiving: bool
    lag: int | None
    """WAL that the server has and that is not durable here; None when the server can't be asked."""
    received_at: float | None
    """When something was last received, seconds since the epoch; None before the first byte."""
    stores: tuple[StoreLag, ...]
    """How far each store is behind the spool."""
    spool: int
    """Complete segments here that some store does not have."""
    spool_limit: int
    free: int
    """Free where WAL is received."""
    slot: str
    """PostgreSQL's wal_status of the slot: reserved, extended, unreserved, lost; missing, unknown."""
    error: str = ""
    """Why nothing is received."""
    found: tuple[Problem, ...] = field(default=())
    """What is bad that the rest does not say."""

    @property
    def waiting(self) -> int:
        """Complete segments that the store that is furthest behind lacks."""
        return max((each.waiting for each in self.stores), default=0)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was bad at `at`; none is green."""
        return (*self._of_receiving(), *self._of_stores(), *self._of_spool())

    def problems_at(self, now: float) -> tuple[Problem, ...]:
        """What is bad at `now`: an archive that says nothing does not receive."""
        if now - self.at > _STALE:
            return (Problem.of(ProblemCode.ARCHIVE_SILENT, minutes=(now - self.at) / 60), *self.problems)
        return self.problems

    def _of_receiving(self) -> list[Problem]:
        found = []
        if not self.receiving and self.spool < self.spool_limit:
            found.append(Problem.of(ProblemCode.LOG_NOT_RECEIVED, reason=self.error or DetailCode.NOT_RUNNING()))
        elif self.receiving and self.received_at is not None and self.at - self.received_at > _SILENT:
            found.append(Problem.of(ProblemCode.LOG_SILENT, seconds=self.at - self.received_at))
        if self.slot in ("unreserved", "lost", "missing"):
            found.append(Problem.of(ProblemCode.LOG_SLOT, slot=self.slot))
        return [*found, *self.found]

    def _of_stores(self) -> list[Problem]:
        found = []
        for each in self.stores:
            if each.conflict:
                found.append(Problem.of(ProblemCode.LOG_CONFLICT, file=each.conflict, store=each.store))
            elif each.error:
                found.append(Problem.of(ProblemCode.LOG_NOT_SHIPPED, store=each.store, reason=each.error))
            if each.waited > _LATE:
                waits = Problem.of(ProblemCode.LOG_WAITS, store=each.store, count=each.waiting, seconds=each.waited)
                found.append(waits)
        return found

    def _of_spool(self) -> list[Problem]:
        found = []
        about = {"size": self.spool >> 20, "limit": self.spool_limit >> 20}
        if self.spool >= self.spool_limit:
            found.append(Problem.of(ProblemCode.SPOOL_FULL, **about))
        elif self.spool * _LARGE > self.spool_limit:
            found.append(Problem.of(ProblemCode.SPOOL_LARGE, **about))
        if self.free < _LEAST_FREE:
            found.append(Problem.of(ProblemCode.LOG_NO_SPACE, free=self.free >> 20))
        return found


def write_status(root: Path, status: WalStatus) -> None:
    """Replace what the spool `root` says of its archive; OSError when that can't be done."""
    record = {**asdict(status), "error": plain(status.error), "found": [problem.plain() for problem in status.found]}
    record["stores"] = [{**asdict(each), "error": plain(each.error)} for each in status.stores]
    atomic_write(root / STATUS_FILE, json.dumps(record, ensure_ascii=False, indent=1).encode())


def read_status(root: Path) -> WalStatus | None:
    """What an archive wrote; None when there is none, or it can't be understood."""
    try:
        given = json.loads((root / STATUS_FILE).read_text())
        given["error"] = from_plain(given["error"])
        given["stores"] = tuple(StoreLag(**{**each, "error": from_plain(each["error"])}) for each in given["stores"])
        given["found"] = tuple(map(Problem.from_plain, given["found"]))
        return WalStatus(**given)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
