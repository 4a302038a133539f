"""Services: what stands below the workers, such as a database server of our own.

Promises: started in order before the first worker, each after the one before it is up; restarted with back-off
when they die, each by itself; stopped in reverse order after the last worker. `start` and `stop` run in threads
of their own, so a slow one keeps no signal and no worker waiting.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from esteio.events import Event
from esteio.policy._backoff import Exponential
from esteio.serve._events import ServiceDied, ServiceFailed, ServiceRestarted, ServiceStarted, ServiceStopped
from esteio.serve._settings import restart_delay

__all__ = ["Job", "Service", "ServiceMonitor", "ServiceStack", "ServiceState", "in_thread"]

_STOP_MARGIN = 5.0  # seconds beyond its own limit that `stop` is waited for
_logger = logging.getLogger("esteio.serve")


class Service(Protocol):
    """What the supervisor asks of a service.

    Its processes belong in a process group of their own (`start_new_session=True`): Ctrl-C reaches the whole
    group of the supervisor, and would end them before the workers.
    """

    @property
    def name(self) -> str:
        """For people; unique."""
        ...

    def start(self) -> None:
        """Return when it is usable, raise when it can't be; called again after a death."""
        ...

    def is_alive(self) -> bool:
        """Asked ten times a second: answers at once, without I/O that can wait."""
        ...

    def stop(self, timeout: float) -> None:
        """End it in order within `timeout` seconds, hard after that; 0 means hard at once. Dead already: return.

        May be called with 0 from another thread while one call still waits.
        """
        ...


class Job:
    """A call under way; `error` is valid once `done`."""

    def __init__(self) -> None:
        self.done = False
        self.error: BaseException | None = None


Launch = Callable[[Callable[[], None]], Job]


def in_thread(wake: Callable[[], None]) -> Launch:
    """How calls are made outside tests; `wake` is called at the end of each."""

    def launch(call: Callable[[], None]) -> Job:
        job = Job()

        def run() -> None:
            try:
                call()
            except BaseException as exc:  # noqa: BLE001 - whatever a service raises is its failure, SystemExit too
                job.error = exc
            finally:
                job.done = True
                wake()

        try:
            threading.Thread(target=run, name="esteio-service", daemon=True).start()
        except RuntimeError as exc:  # out of threads: a failure like any other, so that it is tried again
            job.error, job.done = exc, True
        return job

    return launch


class _State(Enum):
    DOWN = "down"
    STARTING = "starting"
    UP = "up"
    RENEWING = "renewing"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Of one service: whether it is up; if not, how often in a row it failed, and what its last start said."""

    name: str
    up: bool
    failures: int
    error: str


class ServiceMonitor:
    """Keeps one service up; `poll` moves it on, and is told the time in monotonic seconds."""

    def __init__(
        self,
        service: Service,
        *,
        backoff: Exponential,
        stable_after: float,
        chance: Callable[[], float],
        launch: Launch,
        note: Callable[[Event], None],
    ) -> None:
        self._service = service
        self._backoff = backoff
        self._stable_after = stable_after
        self._chance = chance
        self._launch = launch
        self._note = note
        self._state = _State.DOWN
        self._job: Job | None = None
        self._start_at = 0.0
        self._since = 0.0
        self._down_since = 0.0
        self._stop_limit = 0.0
        self._failures = 0
        self._asked = False
        self.ever_up = False
        self.error: BaseException | None = None
        """What its last start raised; None when that went well."""

    @property
    def state(self) -> ServiceState:
        """How it is; any thread may ask."""
        up = self._state is _State.UP
        return ServiceState(self._service.name, up, 0 if up else self._failures, str(self.error or ""))

    @property
    def service(self) -> Service:
        """What it keeps up."""
        return self._service

    @property
    def stopped(self) -> bool:
        """Whether its `stop` has returned."""
        return self._state is _State.STOPPED

    @property
    def ending(self) -> bool:
        """Whether it was told to stop; it is not started again."""
        return self._state in (_State.STOPPING, _State.STOPPED)

    def renew(self, timeout: float, now: float) -> None:
        """Stop it and start it again, which is no failure of it; one that is not up is left to `poll`."""
        if self._state is _State.UP:
            self._enter(_State.RENEWING, now)
            self._down_since = now
            self._job = self._launch(lambda: self._service.stop(timeout))

    def poll(self, now: float) -> None:
        """Start it when it is down and due; see whether it died."""
        if self._state is _State.DOWN and now >= self._start_at:
            self._enter(_State.STARTING, now)
            self._asked = True
            self._job = self._launch(self._service.start)
        elif self._state is _State.STARTING and self._job is not None and self._job.done:
            self._started(self._job.error, now)
        elif self._state is _State.RENEWING and self._job is not None and self._job.done:
            if self._job.error is not None:
                self._note(ServiceFailed(self._service.name, f"stop: {self._job.error!r}", None))
            self._enter(_State.DOWN, now)
            self._start_at = now
        elif self._state is _State.UP and not self._alive():
            if now - self._since >= self._stable_after:
                self._failures = 0
            self._down_since = now
            self._note(ServiceDied(self._service.name, self._failures + 1, self._charge(now)))

    def stop(self, timeout: float, now: float) -> None:
        """Bring it one step nearer its end; call until `stopped`. A start or renewal under way is waited for."""
        if self._state is _State.STOPPING:
            self._watch_stop(now)
        elif self._in_transit and now - self._since < timeout:
            return
        elif self._state is not _State.STOPPED:
            self._begin_stop(timeout, now)

    def force(self, now: float) -> None:
        """End it hard, even while an orderly stop still waits."""
        if self._state is not _State.STOPPED:
            self._begin_stop(0.0, now)

    @property
    def _in_transit(self) -> bool:
        moving = self._state in (_State.STARTING, _State.RENEWING)
        return moving and self._job is not None and not self._job.done

    def _begin_stop(self, timeout: float, now: float) -> None:
        if not self._asked:
            self._enter(_State.STOPPED, now)
            return
        self._enter(_State.STOPPING, now)
        self._stop_limit = timeout + _STOP_MARGIN
        self._job = self._launch(lambda: self._service.stop(timeout))

    def _watch_stop(self, now: float) -> None:
        assert self._job is not None
        if self._job.done and self._job.error is None:
            self._note(ServiceStopped(self._service.name, now - self._since))
        elif self._job.done:
            self._note(ServiceFailed(self._service.name, f"stop: {self._job.error!r}", None))
        elif now - self._since >= self._stop_limit:
            error = f"stop has not returned after {self._stop_limit:g} s; left behind"
            self._note(ServiceFailed(self._service.name, error, None))
        else:
            return
        self._enter(_State.STOPPED, now)

    def _started(self, error: BaseException | None, now: float) -> None:
        seconds = now - self._since
        self.error = error
        if error is not None:
            delay = self._charge(now)
            self._note(ServiceFailed(self._service.name, f"start: {error!r}", delay))
            return
        self._enter(_State.UP, now)
        if self.ever_up:
            self._note(ServiceRestarted(self._service.name, now - self._down_since))
        else:
            self._note(ServiceStarted(self._service.name, seconds))
        self.ever_up = True

    def _charge(self, now: float) -> float:
        self._failures += 1
        delay = restart_delay(self._backoff, self._failures, self._chance())
        self._enter(_State.DOWN, now)
        self._start_at = now + delay
        return delay

    def _enter(self, state: _State, now: float) -> None:
        self._state = state
        self._since = now
        self._job = None

    def _alive(self) -> bool:
        try:
            return self._service.is_alive()
        except Exception:
            _logger.exception("service %s: is_alive raised; taken as dead", self._service.name)
            return False


class ServiceStack:
    """All services, in order."""

    def __init__(self, monitors: Sequence[ServiceMonitor]) -> None:
        self._monitors = tuple(monitors)

    @property
    def all_started(self) -> bool:
        """Whether each was up at least once; the workers may start."""
        return all(monitor.ever_up for monitor in self._monitors)

    def poll(self, now: float) -> None:
        """Move all on; the next one waits for the first start of the one before."""
        for monitor in self._monitors:
            monitor.poll(now)
            if not monitor.ever_up:
                break

    def renew(self, outdated: Callable[[Service], bool], timeout: float, now: float) -> None:
        """Stop and start again those that are."""
        for monitor in self._monitors:
            if outdated(monitor.service):
                monitor.renew(timeout, now)

    def stop(self, timeout: float, now: float) -> bool:
        """Move on towards the end, last first; whether all are stopped."""
        for monitor in reversed(self._monitors):
            monitor.stop(timeout, now)
            if not monitor.stopped:
                return False
        return True

    def force(self, now: float) -> None:
        """End all hard."""
        for monitor in reversed(self._monitors):
            monitor.force(now)
