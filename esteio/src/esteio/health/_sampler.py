"""What a process measures of itself: how late its event loop is, its memory, its share of a processor.

Promises: it looks twice a second from the event loop itself, without a task that has to be ended, and never raises there;
what a collector raises is logged once. A loop that stands still is late by as long as it stood. What was ordered for circuits,
by whatever process, is carried out here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable

from esteio.health._circuits import CircuitFollower
from esteio.health._measurements import Measurements
from esteio.health._reading import LAG
from esteio.health._region import PAGE_BYTES, Field, Key
from esteio.health._samples import Family, pack
from esteio.system import resident_bytes

__all__ = ["Sampler"]

_EVERY = 0.5  # seconds
_PAGE_TURNS = 4  # a page is written every two seconds
_LAG_TURNS = 10  # the greatest lag is that of this many turns and of as many before
_PAGE_ROOM = PAGE_BYTES // 2  # the base has to hold what several workers wrote
_logger = logging.getLogger("esteio.health")

Collect = Callable[[], Iterable[Family]]


class Sampler:
    """Writes into the slot of `measurements`, with what `collect` gives, if anything."""

    def __init__(self, measurements: Measurements, collect: Collect | None = None) -> None:
        self._measurements = measurements
        self._collectors = [collect] if collect is not None else []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._lag_at = 0
        self._turn = 0
        self._due = 0.0
        self._cpu = (0.0, 0.0)
        self._lags = (0.0, 0.0)
        self._complained = False
        self._follow = CircuitFollower(measurements.board)

    def include(self, collect: Collect) -> None:
        """Keep what `collect` gives, too."""
        self._collectors.append(collect)

    def begin(self) -> None:
        """Sample from the running loop on; a second call there does nothing."""
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        self.end()
        self._loop = loop
        self._measurements.slot.words[Field.ENDED] = 0
        self._follow()  # before the first request
        self._cpu = (time.monotonic(), time.process_time())
        self._lag_at = self._measurements.slot.add(Key(LAG))
        self._look()
        self._publish()
        self._arm()

    def end(self) -> None:
        """Write all once more, and stop."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
            self._publish()
            self._measurements.slot.words[Field.ENDED] = 1
        self._loop = None

    def _arm(self) -> None:
        assert self._loop is not None
        self._due = self._loop.time() + _EVERY
        self._handle = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        assert self._loop is not None
        try:
            self._note_lag(max(0.0, self._loop.time() - self._due))
            self._turn += 1
            self._look()
            if self._follow() or self._turn % _PAGE_TURNS == 0:  # who ordered it wants to see it
                self._publish()
        except Exception:  # noqa: BLE001 - the loop would only log it, and nothing would be measured any more
            self._complain()
        self._arm()

    def _note_lag(self, lag: float) -> None:
        self._measurements.slot.record(self._lag_at, lag)
        before, now = self._lags
        self._lags = (now, lag) if self._turn % _LAG_TURNS == 0 else (before, max(now, lag))

    def _look(self) -> None:
        region = self._measurements.slot
        then, used = self._cpu
        now, using = time.monotonic(), time.process_time()
        if now - then >= 1.0:
            region.floats[Field.CPU_PERCENT] = 100 * (using - used) / (now - then)
            self._cpu = (now, using)
        region.floats[Field.CPU_SECONDS] = using
        region.words[Field.MEMORY] = resident_memory()
        region.floats[Field.LAG] = max(self._lags)
        region.floats[Field.UPDATED] = time.time()

    def _publish(self) -> None:
        if not self._collectors:
            return
        try:
            page = pack(family for collect in self._collectors for family in collect())
            if len(page) > _PAGE_ROOM or not self._measurements.slot.write_page(page):
                raise ValueError(f"the collectors' samples take {len(page)} bytes, {_PAGE_ROOM} are allowed")
        except Exception:  # noqa: BLE001 - whatever a collector raises
            self._complain()

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            _logger.exception("measuring failed; it goes on, and this is not logged again")


def resident_memory() -> int:
    """Bytes of this process in memory now; the most there ever were where the system has no /proc."""
    found = resident_bytes(os.getpid())
    if found is not None:
        return found
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
