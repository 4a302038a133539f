"""Connections that are not given back.

Promises: a connection that is out for longer than the threshold is told of once, with the lines that borrowed
it, and told of again when it comes back. One that nobody refers to any more, as after a block that was never
left, is taken back at the next look. Noting the borrower costs about a microsecond: which instruction, not
which line, and no text.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

from esteio import events
from esteio.events import Event

if TYPE_CHECKING:
    from esteio.postgres._connection import Connection

__all__ = ["ConnectionLeaked", "Leaks", "Place"]

_logger = logging.getLogger("esteio.postgres.leaks")

_DEPTH = 8  # frames that are noted; the innermost ones are ours
_REFERENCES = 4  # of a connection that only the pool knows: its set, our copy of it, the loop, the question itself
_PACKAGE = str(Path(__file__).parent)

Place = tuple[CodeType, int]


@dataclass(frozen=True, slots=True)
class ConnectionLeaked(Event):
    """A connection of pool `name` is out for `seconds` already; `borrower` has the lines that took it, innermost first.

    `forgotten`: nobody refers to it, so it was taken back.
    """

    seconds: float
    backend_pid: int
    borrower: tuple[str, ...]
    forgotten: bool


class Leaks:
    """Watches over the connections of one pool that are in use; `threshold` in seconds."""

    def __init__(self, name: str, threshold: float, now: Callable[[], float]) -> None:
        if not threshold > 0:
            msg = f"leak_after={threshold!r}; allowed: seconds above 0, or None to turn it off"
            raise ValueError(msg)
        self._name = name
        self._threshold = threshold
        self._now = now
        self.found = 0

    def borrowed(self, conn: Connection) -> None:
        """`conn` was just handed out to the caller of our caller."""
        conn.borrowed_at = self._now()
        conn.borrower = _places()
        conn.overdue = False

    def returned(self, conn: Connection) -> None:
        """`conn` came back although it was told of."""
        conn.overdue = False
        _logger.warning(
            "pool %s: the connection to backend %d is back after %.1f s",
            self._name,
            conn.info.backend_pid,
            self._now() - conn.borrowed_at,
        )

    def look(self, used: Collection[Connection]) -> list[Connection]:
        """Tell of those that are out for too long; those that nobody refers to are returned, to be taken back."""
        now = self._now()
        forgotten = []
        connections = list(used)
        for conn in connections:
            if sys.getrefcount(conn) <= _REFERENCES:
                forgotten.append(conn)
                self._tell(conn, now, forgotten=True)
            elif not conn.overdue and now - conn.borrowed_at > self._threshold:
                conn.overdue = True
                self._tell(conn, now, forgotten=False)
        return forgotten

    def _tell(self, conn: Connection, now: float, *, forgotten: bool) -> None:
        self.found += 1
        lines = tuple(f"{code.co_filename}:{line} ({code.co_name})" for code, line in _lines(conn.borrower))
        pid = conn.pgconn.backend_pid
        _logger.warning(
            "pool %s: the connection to backend %d %s after %.1f s; borrowed at %s",
            self._name,
            pid,
            "was forgotten and is taken back" if forgotten else "has not come back",
            now - conn.borrowed_at,
            " < ".join(lines) or "an unknown place",
        )
        events.emit(ConnectionLeaked(self._name, now - conn.borrowed_at, pid, lines, forgotten))


def _places() -> tuple[Place, ...]:
    """Where our caller's callers are."""
    frame = sys._getframe(2)  # noqa: SLF001 - what tracebacks are made of
    places: list[Place] = []
    for _ in range(_DEPTH):
        places.append((frame.f_code, frame.f_lasti))
        if frame.f_back is None:
            break
        frame = frame.f_back
    return tuple(places)


def _lines(places: tuple[Place, ...]) -> list[Place]:
    """The lines of `places`, without those of this package, up to the event loop."""
    lines: list[Place] = []
    for code, instruction in places:
        if "asyncio" in Path(code.co_filename).parts:
            break
        if code.co_filename.startswith(_PACKAGE):
            continue
        line = next((line for start, end, line in code.co_lines() if start <= instruction < end), None)
        lines.append((code, line or code.co_firstlineno))
    return lines
