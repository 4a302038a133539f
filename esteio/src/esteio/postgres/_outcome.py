"""What became of a transaction whose COMMIT was not answered.

Promises: `judge` never says committed or aborted unless that is certain; the argument is written down in
docs/adr/0006-a-lost-commit-is-resolved.md. Pure: the facts come in from two sessions, the one that
sent the COMMIT and one made after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from threading import RLock

__all__ = ["History", "Incarnation", "Outcome", "Start", "Ticket", "explained", "judge"]

_REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class Incarnation:
    """One life of one server: from a start, a promotion or the recovery after a crash to the next."""

    system: int
    timeline: int
    postmaster: str
    """When its main process started."""
    reset: str
    """When its statistics were last reset, which a crash does."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is needed to find out later what became of a transaction."""

    xid: int
    life: Incarnation | None
    pid: int


class Outcome(StrEnum):
    """What became of a transaction."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    RUNNING = "in progress"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Start:
    """The checkpoint a life began with: where it lies in the log, and the first xid given out after it."""

    lsn: int
    first_xid: int


class History:
    """The lives of the server that this process has seen, in order, each with its start when that was still known."""

    def __init__(self) -> None:
        self._lives: dict[Incarnation, Start | None] = {}
        self._lock = RLock()  # several threads may open connections at the same time

    def witness(self, life: Incarnation, start: Start | None) -> Incarnation:
        """A session of `life` was opened; the life it belongs to, which an operator's reset does not change."""
        with self._lock:
            known = self._same(life, start)
            if known is None:
                self._lives[life] = start
                while len(self._lives) > _REMEMBERED:
                    del self._lives[next(iter(self._lives))]
                return life
            if self._lives[known] is None:
                self._lives[known] = start
            return known

    def start(self, life: Incarnation) -> Start | None:
        """With what `life` began, if that was seen in time."""
        return self._lives.get(life)

    def after(self, origin: Incarnation) -> list[Start | None]:
        """The starts of the lives after `origin`, of whichever server that may have been one of its successors."""
        with self._lock:
            lives = list(self._lives)
            later = lives[lives.index(origin) + 1 :] if origin in lives else lives
            found = [self._lives[life] for life in later if life.timeline >= origin.timeline]
            return found if origin in lives else [*found, None]

    def _same(self, life: Incarnation, start: Start | None) -> Incarnation | None:
        if life in self._lives:
            return life
        for known, begun in self._lives.items():
            if start is not None and begun == start and replace(known, reset=life.reset) == life:
                return known
        return None


def judge(
    xid: int, origin: Incarnation | None, current: Incarnation | None, status: str | None, history: History
) -> Outcome:
    """The outcome of `xid` of `origin`, about which a server in its life `current` says `status`.

    `status` is what `pg_xact_status` returned, or "future" when the server has not yet given out that xid.
    """
    if origin is None or current is None or current.system != origin.system or status is None:
        return Outcome.UNKNOWN
    if current == origin:
        return _SAME_LIFE.get(status, Outcome.UNKNOWN)
    if current.timeline < origin.timeline:
        return Outcome.UNKNOWN  # a server that a promotion left behind
    starts = history.after(origin)
    if status == "in progress" and not _certainly_later(origin, current, starts):
        return Outcome.RUNNING
    if status != "committed":
        return Outcome.ABORTED  # no COMMIT of ours is in this history; a stranger in progress has our number
    return _committed_later(xid, starts, history.start(current) if current.timeline == origin.timeline else None)


_SAME_LIFE = {
    "committed": Outcome.COMMITTED,
    "aborted": Outcome.ABORTED,
    "in progress": Outcome.RUNNING,
}


def _certainly_later(origin: Incarnation, current: Incarnation, starts: list[Start | None]) -> bool:
    moved = (current.postmaster, current.timeline) != (origin.postmaster, origin.timeline)
    return moved or any(start is not None for start in starts)


def _committed_later(xid: int, starts: list[Start | None], exact: Start | None) -> Outcome:
    """Somebody committed under our xid in a later life: it was us if the xid was not given out a second time."""
    if starts and all(start is not None and xid < start.first_xid for start in starts):
        return Outcome.COMMITTED
    if exact is not None and xid >= exact.first_xid:
        return Outcome.ABORTED  # ours did not survive the crash, so its number was free again
    return Outcome.UNKNOWN


def explained(ticket: Ticket, current: Incarnation | None, status: str | None) -> str:
    """Why not more is known about a transaction."""
    if ticket.life is None or current is None:
        return "the server does not tell who it is"
    if current.system != ticket.life.system:
        return f"another cluster answers (system {current.system}, the COMMIT went to {ticket.life.system})"
    if current.timeline != ticket.life.timeline:
        return f"timeline {current.timeline} answers {status!r}, the COMMIT went to timeline {ticket.life.timeline}"
    return f"the server has restarted and answers {status!r}" if current != ticket.life else f"it answers {status!r}"
