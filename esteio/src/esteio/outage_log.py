"""A log that says once what would otherwise be said for every request of an outage.

Promises: the first failure of a kind is one line at once; while it goes on there is one line with the count every `every`
seconds; after `quiet` seconds without a further one there is one line with the total. Any thread may call it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from esteio.clock import SYSTEM, Clock

__all__ = ["OutageLog", "OutageWords"]

_logger = logging.getLogger("esteio.outage_log")
_MOST_KINDS = 100  # outages followed at the same time; what comes beyond them shares the last one's count
_OTHER = "other"


@dataclass(frozen=True, slots=True)
class OutageWords:
    """The three lines. `{kind}`, `{message}`, `{count}` since the last line, `{total}` and `{seconds}` are filled in."""

    begin: str = "{kind}: {message}; more of these are counted, not logged one by one"
    during: str = "{kind}: {count} more, {total} within {seconds:.0f} s; last: {message}"
    end: str = "{kind}: over after {seconds:.0f} s, {total} in all"


@dataclass(slots=True)
class _Outage:
    began_at: float
    last_at: float
    told_at: float
    message: str
    total: int = 1
    untold: int = 0


def _in_thread(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()


class OutageLog:
    """Writes to `logger` at `level`; the last line of an outage is INFO. `every` and `quiet` are seconds.

    `later(seconds, call)` is how it arranges to look again; a short-lived thread by default, and only during an outage.
    """

    def __init__(
        self,
        logger: logging.Logger,
        *,
        level: int = logging.WARNING,
        every: float = 60.0,
        quiet: float = 10.0,
        words: OutageWords | None = None,
        clock: Clock = SYSTEM,
        later: Callable[[float, Callable[[], None]], None] = _in_thread,
    ) -> None:
        if not (every > 0 and quiet > 0):
            msg = f"OutageLog: every={every}, quiet={quiet}; pass seconds above 0"
            raise ValueError(msg)
        self._logger = logger
        self._level = level
        self._every = every
        self._quiet = quiet
        self._words = words or OutageWords()
        self._clock = clock
        self._later = later
        self._lock = threading.Lock()
        self._outages: dict[str, _Outage] = {}
        self._scheduled = False

    def failed(self, kind: str, message: object) -> None:
        """One failure. `kind` names the outage ("database unavailable"); `message` says what was seen this time."""
        now = self._clock.monotonic()
        with self._lock:
            if kind not in self._outages and len(self._outages) >= _MOST_KINDS:
                kind = _OTHER
            outage = self._outages.get(kind)
            if outage is None:
                self._outages[kind] = _Outage(now, now, now, str(message))
            else:
                outage.total += 1
                outage.untold += 1
                outage.last_at = now
                outage.message = str(message)
            schedule, self._scheduled = not self._scheduled, True
        # Logging may block and the thread may not start: neither happens while the lock is held.
        if outage is None:
            self._logger.log(self._level, "%s", self._words.begin.format(kind=kind, message=message))
        if schedule:
            self._schedule()

    def look(self) -> None:
        """Write the lines that are due; called by itself during an outage."""
        now = self._clock.monotonic()
        with self._lock:
            due = [self._due(kind, now) for kind in list(self._outages)]
            self._scheduled = again = bool(self._outages)
        for level, line in filter(None, due):
            self._logger.log(level, "%s", line)
        if again:
            self._schedule()

    def _schedule(self) -> None:
        try:
            self._later(min(self._quiet, self._every) / 2, self.look)
        except RuntimeError:  # the interpreter ends, or there are too many threads: the next failure tries again
            _logger.debug("cannot schedule the next look", exc_info=True)
            with self._lock:
                self._scheduled = False

    def _due(self, kind: str, now: float) -> tuple[int, str] | None:
        outage = self._outages[kind]
        seconds = outage.last_at - outage.began_at
        if now - outage.last_at >= self._quiet:
            del self._outages[kind]
            if outage.total == 1:  # its one line has said it all
                return None
            return logging.INFO, self._words.end.format(kind=kind, seconds=seconds, total=outage.total)
        if now - outage.told_at < self._every or not outage.untold:
            return None
        count, outage.untold, outage.told_at = outage.untold, 0, now
        return self._level, self._words.during.format(
            kind=kind, message=outage.message, count=count, total=outage.total, seconds=now - outage.began_at
        )
