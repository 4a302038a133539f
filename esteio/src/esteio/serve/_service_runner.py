"""Services without workers, side by side in one process.

Promises: none waits for another, and one that keeps failing holds up no other: each is restarted by itself with
back-off. What a turn of the loop raises, `may_run` for one, is logged, and it goes on. They end in reverse order, by
SIGTERM, SIGINT (a second one, half a second later or more, forces), SIGHUP or `stop`. While `may_run` says no, none
runs; a yes starts them again.
"""

from __future__ import annotations

import logging
import random
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait

from esteio.clock import SYSTEM, Clock
from esteio.policy._backoff import Exponential
from esteio.serve._events import log_and_emit
from esteio.serve._guard import GuardedTurn
from esteio.serve._service import Service, ServiceMonitor, ServiceStack, ServiceState, in_thread
from esteio.serve._settings import RESTARTS
from esteio.serve._signals import Signals

__all__ = ["ServiceRunner"]

_logger = logging.getLogger("esteio.serve")
_TICK = 0.2  # seconds; signals and ends of service calls wake the loop earlier
_DEBOUNCE = 0.5
_EMERGENCY_STOP = 5.0
_ENDING = frozenset({"SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"})


class ServiceRunner:
    """Keeps `services` up until told to end, each with `stop_timeout` seconds to end in.

    `may_run` is asked at each turn and answers at once. With `demanding`, the first start of each has to succeed: its
    error ends all and is raised. A service that was up for `stable_after` seconds is forgiven its earlier failures.
    """

    def __init__(
        self,
        services: Sequence[Service],
        *,
        stop_timeout: float = 30.0,
        stable_after: float = 60.0,
        backoff: Exponential = RESTARTS,
        may_run: Callable[[], bool] = lambda: True,
        demanding: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        self._services = tuple(services)
        self._stop_timeout = stop_timeout
        self._stable_after = stable_after
        self._backoff = backoff
        self._may_run = may_run
        self._demanding = demanding
        self._clock = clock
        self._monitors: tuple[ServiceMonitor, ...] = ()
        self._asked_at: float | None = None
        self._ended_by = 0
        self._refused: BaseException | None = None
        self._wake: Callable[[], None] = lambda: None

    def run(self) -> int:
        """Keep them until told to end; the number of the signal that said so, 0 for `stop`. Main thread only."""
        try:
            with Signals() as signals:
                self._wake = signals.wake
                turn = GuardedTurn("the runner of services", lambda: self._turn(signals))
                while not turn():
                    wait([signals.waitable], _TICK)
        finally:
            self._abandon()
        if self._refused is not None:
            raise self._refused
        return self._ended_by

    def stop(self) -> None:
        """As SIGTERM; any thread may call it."""
        if self._asked_at is None:
            self._asked_at = self._clock.monotonic()
        self._wake()

    def states(self) -> tuple[ServiceState, ...]:
        """How each is, in order; none while they may not run. Any thread may ask."""
        return tuple(monitor.state for monitor in self._monitors)

    def _turn(self, signals: Signals) -> bool:
        """One pass of the loop; True at the end."""
        now = self._clock.monotonic()
        for number in signals.take():
            self._handle(number, now)
        if self._asked_at is None and self._may_run():
            self._keep(signals, now)
            return False
        stopped = ServiceStack(self._monitors).stop(self._stop_timeout, now)
        if stopped:
            self._monitors = ()
        return stopped and self._asked_at is not None

    def _keep(self, signals: Signals, now: float) -> None:
        if any(monitor.ending for monitor in self._monitors):  # it had to stop; it begins anew when that is over
            if ServiceStack(self._monitors).stop(self._stop_timeout, now):
                self._monitors = ()
            return
        if not self._monitors:
            self._monitors = tuple(self._monitor(service, signals) for service in self._services)
        for monitor in self._monitors:
            monitor.poll(now)
            if self._demanding and monitor.error is not None and not monitor.ever_up:
                self._refused = monitor.error
                self.stop()

    def _monitor(self, service: Service, signals: Signals) -> ServiceMonitor:
        return ServiceMonitor(
            service,
            backoff=self._backoff,
            stable_after=self._stable_after,
            chance=random.random,
            launch=in_thread(signals.wake),
            note=log_and_emit,
        )

    def _handle(self, number: int, now: float) -> None:
        name = signal.Signals(number).name
        if name not in _ENDING:
            return
        if self._asked_at is None:
            _logger.info("received %s: ending", name)
            self._asked_at, self._ended_by = now, number
        elif name == "SIGINT" and now - self._asked_at >= _DEBOUNCE:
            ServiceStack(self._monitors).force(now)

    def _abandon(self) -> None:
        """After an error of our own: leave nothing running. After an orderly end there is nothing left to do."""
        for service in reversed(self._services if self._monitors else ()):
            try:
                service.stop(_EMERGENCY_STOP)
            except Exception:
                _logger.exception("service %s could not be stopped", service.name)
