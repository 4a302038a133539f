"""Connections that are not given back.

Promises: a connection that is out for longer than the threshold is told of once, with the lines that borrowed
it, and told of again when it comes back. One that nobody refers to any more, as after a block that was never
left, is taken back at the next look. Noting the borrower costs half a microsecond: which instruction, not
which line, and no text.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from esteio import events
from esteio.events import Event

if TYPE_CHECKING:
    from esteio.postgres._connection import Remembered

__all__ = ["ConnectionLeaked", "Leaks"]

_logger = logging.getLogger("esteio.postgres.leaks")

_SKIPPED = 4  # frames between noting and a block of ours
_DEPTH = 6
_REFERENCES = 4  # of a connection that only the pool knows: its set, our copy of it, the loop, the question itself
_PACKAGE = f"{Path(__file__).parent}{os.sep}"
_BLOCKS = contextlib.__file__

C = TypeVar("C", bound="Remembered")


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

    def borrowed(self, conn: Remembered) -> None:
        """`conn` was just handed out to the caller of our caller."""
        conn.borrowed_at = self._now()
        conn.borrower = _places()

    def returned(self, conn: Remembered) -> None:
        """`conn` came back although it was told of."""
        conn.overdue = False
        _logger.warning(
            "pool %s: the connection to backend %d is back after %.1f s",
            self._name,
            conn.pid,
            self._now() - conn.borrowed_at,
        )

    def look(self, used: Collection[C]) -> tuple[list[C], list[C]]:
        """Those of `used` that nobody refers to, and those that are newly out for too long."""
        now = self._now()
        forgotten, late = [], []
        connections = list(used)
        for conn in connections:
            if sys.getrefcount(conn) <= _REFERENCES:
                forgotten.append(conn)
            elif not conn.overdue and now - conn.borrowed_at > self._threshold:
                conn.overdue = True
                late.append(conn)
        self.found += len(forgotten) + len(late)
        return forgotten, late

    def tell(self, forgotten: Iterable[Remembered], late: Iterable[Remembered]) -> None:
        """Tell of what `look` has found."""
        now = self._now()
        for conn in forgotten:
            self._tell(conn, now, forgotten=True)
        for conn in late:
            self._tell(conn, now, forgotten=False)

    def _tell(self, conn: Remembered, now: float, *, forgotten: bool) -> None:
        lines = tuple(_lines(conn.borrower))
        _logger.warning(
            "pool %s: the connection to backend %d %s after %.1f s; borrowed at %s",
            self._name,
            conn.pid,
            "was forgotten and is taken back" if forgotten else "has not come back",
            now - conn.borrowed_at,
            " < ".join(lines) or "an unknown place",
        )
        events.emit(ConnectionLeaked(self._name, now - conn.borrowed_at, conn.pid, lines, forgotten))


def _places() -> list[Any]:
    """Code and instruction of the callers of the pool, innermost first."""
    frame: FrameType | None
    try:
        frame = sys._getframe(_SKIPPED)  # noqa: SLF001 - what tracebacks are made of
    except ValueError:  # nobody but an event loop written in C
        return []
    places: list[Any] = []
    for _ in range(_DEPTH):
        if frame is None:
            break
        places.append(frame.f_code)
        places.append(frame.f_lasti)
        frame = frame.f_back
    return places


def _lines(places: Sequence[Any]) -> Iterator[str]:
    """The lines of `places`, without those of this package, up to the event loop."""
    for code, instruction in zip(places[::2], places[1::2], strict=True):
        if "asyncio" in Path(code.co_filename).parts:
            return
        if code.co_filename.startswith(_PACKAGE) or code.co_filename == _BLOCKS:
            continue
        line = next((line for start, end, line in code.co_lines() if start <= instruction < end), None)
        yield f"{code.co_filename}:{line or code.co_firstlineno} ({code.co_name})"
