# Generated from ../_sweep.py by tools/async_to_sync.py: change that file and run the tool.
"""The look at all connections of a pool, about once a second.

Promises: whoever waits longer than the bound of his connection gets an error at that time; what ended or expired while
idle is replaced within a second or so; a pool that nobody waits for is refilled a moment after all its connections were
replaced, so that the processes of a service do not come at once. A look that fails is logged, and the next one follows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import inf
from random import random

from esteio.postgres._leaks import Leaks
from esteio.postgres.sync._concurrency import Alarm
from esteio.postgres.sync._connection import SyncConnection
from esteio.postgres.sync._guarded import Guarded

__all__ = ["Sweep"]

_logger = logging.getLogger("esteio.postgres")

_EVERY = 1.0  # seconds, more or less a quarter
_SPREAD = 0.1  # seconds over which the processes of a service refill their pools


class Sweep:
    """Looks after the pool of `guarded` while it is open; `grow` opens what is missing."""

    def __init__(self, guarded: Guarded, grow: Callable[[], None], leaks: Leaks | None) -> None:
        self._guarded = guarded
        self._grow = grow
        self._leaks = leaks
        self._alarm = self._new_alarm()
        self._next_look = 0.0
        self._refill_at = inf

    def start(self) -> None:
        """Begin; RuntimeError when the system has no thread for us. With the lock held."""
        alarm = self._new_alarm()
        pause = _pause()
        alarm.start(pause)
        self._alarm = alarm
        self._next_look = self._guarded.now() + pause

    def stop(self) -> None:
        """No more looks."""
        self._alarm.stop()

    def join(self, timeout: float) -> None:
        """Return when none is under way, after `timeout` seconds at the latest."""
        self._alarm.join(timeout)

    def bound(self, conn: SyncConnection, cut_at: float) -> None:
        """From monotonic second `cut_at` on whoever waits for `conn`, in use, gets an error; until it comes back."""
        conn.cut_at = cut_at  # needs no lock: only who has the connection sets it
        if cut_at < self._next_look:
            self._alarm.hasten()

    def refill_soon(self) -> None:
        """Open what is missing within a tenth of a second. With the lock held."""
        self._refill_at = self._guarded.now() + _SPREAD * random()  # noqa: S311 - jitter
        self._alarm.hasten()

    def _new_alarm(self) -> Alarm:
        return Alarm(self._safe_look, f"pool {self._guarded.name}: sweep")

    def _safe_look(self) -> float:
        try:
            return self._look()
        except Exception:
            _logger.exception("pool %s: the look at all connections failed; the next one follows", self._guarded.name)
            return _EVERY

    def _look(self) -> float:
        """Look after all connections; seconds until that is due again."""
        guarded = self._guarded
        with guarded.lock:
            state = guarded.state
            now = guarded.now()
            for conn in state.in_use():
                if conn.cut_at <= now and not conn.is_cut:
                    conn.cut()
            state.sweep(now)
            if now >= self._refill_at:
                self._refill_at = inf
            if self._refill_at == inf or guarded.queue.waiters:
                self._grow()
            soonest = min((conn.cut_at for conn in state.in_use() if not conn.is_cut), default=inf)
            self._next_look = min(soonest, self._refill_at, now + _pause())
            late = [] if self._leaks is None else self._leaks.look(state.in_use())
        if self._leaks is not None:
            self._leaks.report(late)
        return max(0.001, self._next_look - now)


def _pause() -> float:
    return _EVERY * (0.75 + 0.5 * random())  # noqa: S311 - jitter
