"""What watches a host from beside the workers: asks the checks, reads what the workers measured, keeps the history.

Promises: it depends on nothing that it watches; whatever fails while it looks is what it writes down, and nothing ends it but
`stop`. States are written at each look, values once every `every` seconds. A failure of something that was never well, in the
first minutes of the service, is no outage but a start: its state is unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from esteio.clock import SYSTEM, Clock
from esteio.health._check import Result, Status
from esteio.health._happenings import Happenings
from esteio.health._history import History, Observation
from esteio.health._history_file import Mark
from esteio.health._history_reader import HistoryReader
from esteio.health._host_facts import HostFacts
from esteio.health._intervals import State
from esteio.health._measurements import Measurements
from esteio.health._monitor import Monitor, Report
from esteio.health._vitals import Vitals

__all__ = ["SERVICE", "HostMonitor"]

SERVICE = "service"
"""The series of the states of the whole."""
STARTING = "starting"
"""The reason of an unknown state before the first readiness."""
_LOOK_EVERY = 3.0  # seconds: with a check's limit, what breaks is known within five
_SAY_EVERY = 0.5  # seconds
_GAP = 60.0  # seconds without a look: what was then is unknown
_STARTING = 300.0  # seconds from the start of the service: what was not well once by then is down
_MOST_MARKS = 100
_logger = logging.getLogger("esteio.health")
_STATES = {
    Status.PASS: State.UP, Status.WARN: State.DEGRADED, Status.FAIL: State.DOWN, Status.UNKNOWN: State.UNKNOWN,
}  # fmt: skip


class HostMonitor:
    """A service of `esteio.serve`. `monitor()` makes the checks in the loop of this service, `opened` is open around them.

    `closed`: whether the service is closed for maintenance. `every` in seconds. `facts`: the "version" and whatever settings a
    change of which is to be seen in the history, by their names; never a secret.
    """

    name = "health monitor"

    def __init__(
        self,
        history: Path,
        measurements: Measurements,
        monitor: Callable[[], Monitor],
        *,
        every: float = 60.0,
        opened: Callable[[], AbstractAsyncContextManager[object]] = nullcontext,
        closed: Callable[[], bool] = lambda: False,
        facts: Callable[[], Mapping[str, str]] = dict,
        clock: Clock = SYSTEM,
    ) -> None:
        self._history = History(history, gap=_GAP)
        self._measurements = measurements
        self._monitor = monitor
        self._every = every
        self._opened = opened
        self._closed = closed
        self._clock = clock
        self._vitals = Vitals()
        self._host = HostFacts()
        self._facts = facts
        self._marks: deque[Mark] = deque(maxlen=_MOST_MARKS)
        self._deaths = -1
        self._look_now: asyncio.Event | None = None
        self._were_up: set[str] | None = None
        self._happenings: Happenings | None = None
        self._sampled_at = float("-inf")
        self._thread: threading.Thread | None = None
        self._newest: tuple[Report, float] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = threading.Event()

    def start(self) -> None:
        """Begin."""
        self.stop(0.0)
        self._ending.clear()
        self._thread = threading.Thread(target=self._work, name=f"esteio {self.name}", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it looks."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """End it."""
        self._ending.set()
        self._wake()
        if self._thread is not None:
            self._thread.join(timeout)

    def __enter__(self) -> HostMonitor:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(5.0)

    def _wake(self) -> None:
        loop, wake = self._loop, self._look_now
        if loop is not None and wake is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(wake.set)

    def _work(self) -> None:
        board = self._measurements.board
        if board.watched_at:  # whoever watched before us did not end in order
            board.process_ended(killed=True, at=self._clock.time())
            self._marks.append(Mark(self._clock.time(), "kill", "1"))
        known = (
            HistoryReader(self._history.path).newest() or 0.0
        )  # what came later, our own death too, is still to be told
        self._deaths = max((number for number, at, _ in board.deaths if at <= known), default=-1)
        try:
            self._watch()
        finally:
            self._history.close()
        board.watched_at = 0.0

    def _watch(self) -> None:
        while not self._ending.is_set():
            try:
                asyncio.run(self._run())
            except Exception:
                _logger.exception("the health monitor failed; it begins anew")
                self._ending.wait(_LOOK_EVERY)

    async def _run(self) -> None:
        self._loop, self._look_now = asyncio.get_running_loop(), asyncio.Event()
        async with self._opened():
            monitor = self._monitor()
            beating = asyncio.create_task(self._say_that_it_lives())
            try:
                while not self._ending.is_set():
                    await self.look(monitor)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._look_now.wait(), min(_LOOK_EVERY, self._every))
                    self._look_now.clear()
            finally:
                beating.cancel()

    async def _say_that_it_lives(self) -> None:
        """Often, so that a monitor that is stopped or frozen is known within seconds: by `checks.watched`."""
        while True:
            self._measurements.board.watched_at = time.time()
            await asyncio.sleep(_SAY_EVERY)

    def newest(self) -> tuple[Report, float] | None:
        """The newest report and its moment, Unix seconds; None before the first. From any thread."""
        return self._newest

    async def look(self, monitor: Monitor) -> None:
        """One look, written down."""
        report = await monitor.report()
        now, values = self._clock.time(), {}
        self._newest = (report, now)
        if self._clock.monotonic() - self._sampled_at >= self._every - 0.5:
            self._sampled_at = self._clock.monotonic()
            values = self._vitals(self._measurements.read(), now)
            values |= self._host()
            values |= {name: r.observed for name, r in report.results.items() if r.observed is not None}
            values |= {f"{name}/{part}": v for name, r in report.results.items() for part, v in r.parts.items()}
        # In a thread: a disk that hangs or a file that is locked stops no check.
        await asyncio.to_thread(self._keep, now, values, report)

    def _keep(self, now: float, values: dict[str, float], report: Report) -> None:
        if self._were_up is None or self._happenings is None:
            before = HistoryReader(self._history.path)
            self._were_up, self._happenings = before.ever_up(), Happenings(before.facts())
        states = self._states(report)
        self._were_up.update(name for name, (state, _) in states.items() if state in (State.UP, State.DEGRADED))
        if now - self._measurements.began < _STARTING:
            for name, (state, _) in states.items():
                if state is State.DOWN and name not in self._were_up:
                    states[name] = (State.UNKNOWN, STARTING)
        measured = self._measurements
        families = measured.read().families
        marks, facts = self._happenings(now, measured.began, measured.ended(), families, self._facts())
        for number, at, service in measured.board.deaths:
            if number > self._deaths:
                self._deaths = number
                marks.append(Mark(at, "service", service))
        while self._marks:
            marks.append(self._marks.popleft())
        self._history.observe(Observation(now, values, states, marks, facts))

    def _states(self, report: Report) -> dict[str, tuple[State, str]]:
        closed = self._closed()
        whole = report.results[report.causes[0]].reason if report.causes else ""
        causes = ", ".join(report.causes)
        states = {name: _state(result, closed) for name, result in report.results.items()}
        state = State.MAINTENANCE if closed else _STATES[report.status]
        return {SERVICE: (state, f"{causes}: {whole}" if causes else ""), **states}


def _state(result: Result, closed: bool) -> tuple[State, str]:
    state = _STATES[result.status]
    return (State.MAINTENANCE if closed and state is not State.UP else state), result.reason
