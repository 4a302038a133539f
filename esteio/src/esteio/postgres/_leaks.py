"""Connections that are not given back.

Promises: a connection that is out for longer than the threshold is reported once, with the lines that borrowed it,
and once more when it comes back; it is never taken away from who has it. One that its borrower has lost - a block
entered by hand and never left - is closed by Python with its last reference, reported at the pool's next look, and
replaced. Noting the borrower costs half a microsecond: which instruction, not which line, and no text.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esteio import events
from esteio.events import Event

if TYPE_CHECKING:
    from esteio.postgres._pooled import PooledConnectionMixin

__all__ = ["ConnectionLeaked", "Leaks"]

_logger = logging.getLogger("esteio.postgres.leaks")

_SKIPPED = 4  # frames between noting and a block of ours
_PACKAGE = f"{Path(__file__).parent}{os.sep}"
_BLOCKS = contextlib.__file__


@dataclass(frozen=True, slots=True)
class ConnectionLeaked(Event):
    """A connection of pool `name` is out for `seconds` already; `borrower` has the lines that took it, innermost first.

    `forgotten`: nobody referred to it any more, so it is closed and replaced.
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
        # Filled by finalizers, which may run in any thread at any moment: appending needs no lock.
        self._lost: deque[tuple[int, float, Sequence[Any]]] = deque()

    def borrowed(self, conn: PooledConnectionMixin) -> None:
        """`conn` was just handed out to the caller of our caller."""
        conn.borrowed_at = self._now()
        conn.borrower = _places()
        conn.lost_to = self._lost

    def returned(self, conn: PooledConnectionMixin) -> None:
        """`conn`, which was reported, came back."""
        conn.overdue = False
        _logger.warning(
            "pool %s: the connection to backend %d is back after %.1f s",
            self._name,
            conn.pid,
            self._now() - conn.borrowed_at,
        )

    def look(self, used: Iterable[PooledConnectionMixin]) -> list[PooledConnectionMixin]:
        """Those of `used` that are newly out for too long."""
        now = self._now()
        late = [conn for conn in used if not conn.overdue and now - conn.borrowed_at > self._threshold]
        for conn in late:
            conn.overdue = True
        return late

    def report(self, late: Iterable[PooledConnectionMixin]) -> None:
        """Log and emit what `look` has found, and the connections that were lost since the last time."""
        now = self._now()
        for conn in late:
            self._report(conn.pid, now - conn.borrowed_at, conn.borrower, forgotten=False)
        while self._lost:
            pid, since, borrower = self._lost.popleft()
            self._report(pid, now - since, borrower, forgotten=True)

    def _report(self, pid: int, seconds: float, borrower: Sequence[Any], *, forgotten: bool) -> None:
        self.found += 1
        lines = tuple(_lines(borrower))
        _logger.warning(
            "pool %s: the connection to backend %d %s after %.1f s; borrowed at %s",
            self._name,
            pid,
            "was lost by its borrower, so it is closed and replaced," if forgotten else "has not come back",
            seconds,
            " < ".join(lines) or "an unknown place",
        )
        events.emit(ConnectionLeaked(self._name, seconds, pid, lines, forgotten))


def _places() -> list[Any]:
    """Code and instruction of the callers of the pool, innermost first."""
    places: list[Any] = []
    try:
        frame: Any = sys._getframe(_SKIPPED)  # noqa: SLF001 - what tracebacks are made of
        # Written out and not as a loop, since it is done for each borrow.
        places += frame.f_code, frame.f_lasti
        frame = frame.f_back
        places += frame.f_code, frame.f_lasti
        frame = frame.f_back
        places += frame.f_code, frame.f_lasti
        frame = frame.f_back
        places += frame.f_code, frame.f_lasti
    except (ValueError, AttributeError):
        pass  # there are no more callers: an event loop written in C, or the beginning of a thread
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
