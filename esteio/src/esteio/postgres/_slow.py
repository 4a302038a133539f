"""Statements that took too long, written down with all that helps to find them and no value at all.

Promises: a statement slower than `warn` seconds is a warning of the logger `esteio.postgres.slow`, one slower
than `alert` a `SlowQuery` event too. Both name the statement without literals, the number and types of its
parameters, the line that asked for it and the `tagged` route. At most `_LINES` lines are written in
`_WINDOW` seconds; how many were left out is said with the next.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from esteio import events
from esteio.events import Event
from esteio.postgres._fingerprint import fingerprint, normalised
from esteio.postgres._tag import current_tag

__all__ = ["SlowLog", "SlowQuery", "calling_line", "masked"]

_logger = logging.getLogger("esteio.postgres.slow")

_LINES = 20
_WINDOW = 10.0
_TYPES_SHOWN = 12
_FRAMES = 40
_OURS = ("esteio.postgres", "psycopg", "sqlalchemy", "contextlib")
_LOOPS = ("asyncio", "uvloop", "concurrent.futures", "threading")


@dataclass(frozen=True, slots=True)
class SlowQuery(Event):
    """A statement of database `name` took `seconds`, as its caller saw it; `error` is what it raised, if it did."""

    seconds: float
    fingerprint: str
    statement: str
    parameters: str
    """Their number and types, never their values."""
    caller: str
    """`file:line (function)` that waited for it."""
    route: str
    error: str | None


class SlowLog:
    """Tells of the slow statements of one database; None for a threshold turns its part off."""

    def __init__(self, name: str, warn: float | None, alert: float | None) -> None:
        for which, seconds in (("slow_warn", warn), ("slow_alert", alert)):
            if seconds is not None and not seconds > 0:
                msg = f"{which}={seconds!r}; allowed: seconds above 0, or None to turn it off"
                raise ValueError(msg)
        self._name = name
        self._warn = float("inf") if warn is None else warn
        self._alert = float("inf") if alert is None else alert
        self.patience = min(self._warn, self._alert)
        self._window_ends = 0.0
        self._written = 0
        self._left_out = 0

    def log_and_emit(
        self, sql: str, parameters: object, seconds: float, now: float, error: BaseException | None
    ) -> None:
        """Write down `sql`, which took longer than `patience` and ended at `now`, monotonic seconds."""
        text = normalised(sql)
        slow = SlowQuery(
            self._name, seconds, fingerprint(text), text, masked(parameters), calling_line(sys._getframe(1)),  # noqa: SLF001
            current_tag(), None if error is None else type(error).__name__,
        )  # fmt: skip
        if seconds >= self._warn and self._may_write(now):
            self._write(slow)
        if seconds >= self._alert:
            events.emit(slow)

    def _may_write(self, now: float) -> bool:
        if now >= self._window_ends:
            self._window_ends = now + _WINDOW
            self._written = 0
        self._written += 1
        if self._written <= _LINES:
            return True
        self._left_out += 1
        return False

    def _write(self, slow: SlowQuery) -> None:
        _logger.warning(
            "database %s: %.3f s%s for %s [%s] with %s at %s%s%s",
            slow.name,
            slow.seconds,
            f" until {slow.error}" if slow.error else "",
            slow.statement,
            slow.fingerprint,
            slow.parameters,
            slow.caller,
            f" in {slow.route}" if slow.route else "",
            f"; {self._left_out} more were not written" if self._left_out else "",
        )
        self._left_out = 0


def masked(parameters: object) -> str:
    """How many parameters there are and of which types."""
    if parameters is None:
        return "no parameters"
    if isinstance(parameters, Mapping):
        kinds = [f"{name} {type(value).__name__}" for name, value in _first(parameters.items())]
    elif isinstance(parameters, Sequence):
        kinds = [type(value).__name__ for value in _first(parameters)]
    else:
        return f"parameters of {type(parameters).__name__}"
    more = ", ..." if len(parameters) > len(kinds) else ""
    return f"{len(parameters)} parameter{'' if len(parameters) == 1 else 's'} ({', '.join(kinds)}{more})"


def _first(parameters: Any) -> list[Any]:
    return [value for _, value in zip(range(_TYPES_SHOWN), parameters, strict=False)]


def calling_line(frame: FrameType | None) -> str:
    """The innermost line outside of the driver, SQLAlchemy and this package among `frame` and those that wait for it.

    While a coroutine runs, those that await it are its callers, so nothing has to be noted beforehand.
    """
    for _ in range(_FRAMES):
        if frame is None:
            break
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(_LOOPS):
            break
        if not module.startswith(_OURS):
            return f"{frame.f_code.co_filename}:{frame.f_lineno} ({frame.f_code.co_name})"
        frame = frame.f_back
    return "a task of its own"
