"""The supervisor: keeps workers and services alive, rolls them, and ends them in order.

Promises: one thread, one loop, nothing in it waits for a worker or a service. A death wakes it at once. It
outlives whatever its workers do: it ends only by SIGTERM, SIGINT or `stop`, or when the application can't be imported
and never could. Exit code 0 after an orderly end, 1 when the end was forced. If it dies itself, workers see it and end;
where systemd holds descriptors for it, they serve on until those of the next one are ready (`_handover`).

Signals: TERM, INT end (a second INT, half a second later or more, forces); HUP rolls; TTIN, TTOU change the
number of workers.
"""

from __future__ import annotations

import logging
import math
import os
import random
import signal
import socket
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from multiprocessing.connection import wait

from esteio.clock import SYSTEM, Clock
from esteio.extras import ExtraMissing
from esteio.policy._backoff import Exponential
from esteio.serve._bind import addresses, bind
from esteio.serve._errors import ApplicationUnusable, InvalidServeSetting
from esteio.serve._events import RollFinished, log_and_emit
from esteio.serve._guard import GuardedTurn
from esteio.serve._handover import Predecessors, forget_listeners, store_listeners
from esteio.serve._orphans import Orphans
from esteio.serve._process import WorkerProcess
from esteio.serve._program import Program
from esteio.serve._service import Service, ServiceMonitor, ServiceStack, in_thread
from esteio.serve._service_manager import notify, restarted_by, watchdog_interval
from esteio.serve._settings import RESTARTS, ServerOptions, Timeouts, WorkerSpec
from esteio.serve._signals import Signals
from esteio.serve._slot import Action, Kill, Note, Send, Spawn
from esteio.serve._worker_manager import WorkerManager
from esteio.system import resident_bytes

__all__ = ["Supervisor"]

_logger = logging.getLogger("esteio.serve")
_TICK = 0.1  # seconds; what wakes the loop earlier: signals, deaths, messages of workers, ends of service calls
_WEIGH_EVERY = 0.5  # seconds; a worker that leaks fast has to be caught between its limit and twice that
_LEAST_MEMORY = 32 * 2**20  # bytes; a worker with an application in it has more from the start
_DEBOUNCE = 0.5  # seconds; `make` and the like pass on the Ctrl-C that the terminal has sent us already
_EMERGENCY_STOP = 10.0  # seconds for each service when the supervisor itself fails


class Supervisor:
    """Serves `app` ("package.module:attribute") with `workers` processes.

    Listens on `sockets` when given (and closes them at the end), else on `host`:`port`. `on_ready` is called once,
    in the loop, when the first worker is ready. A worker with more than `memory_limit` bytes of resident memory is
    replaced without loss; Linux only. Raises InvalidServeSetting for unusable arguments.
    """

    def __init__(
        self,
        app: str,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        sockets: Sequence[socket.socket] | None = None,
        workers: int = 2,
        services: Sequence[Service] = (),
        on_ready: Callable[[], None] | None = None,
        options: ServerOptions | None = None,
        timeouts: Timeouts | None = None,
        backoff: Exponential = RESTARTS,
        memory_limit: int | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        if app.count(":") != 1 or not all(app.split(":")):
            raise InvalidServeSetting("app", app, '"package.module:attribute"')
        if workers < 1:
            raise InvalidServeSetting("workers", workers, "a whole number from 1")
        if memory_limit is not None and memory_limit < _LEAST_MEMORY:
            raise InvalidServeSetting("memory_limit", memory_limit, f"bytes from {_LEAST_MEMORY}, or None")
        self._spec = WorkerSpec(app, options or ServerOptions(), timeouts or Timeouts())
        self._host = host
        self._port = port
        self._given = sockets
        self._size = workers
        self._services = tuple(services)
        self._running: tuple[Service, ...] = ()
        self._on_ready = on_ready
        self._announced = False
        self._backoff = backoff
        self._memory_limit = memory_limit
        self._weighed_at = -math.inf
        self._orphans = Orphans()
        self._clock = clock
        self._processes: dict[int, WorkerProcess] = {}
        self._sockets: list[socket.socket] = []
        self._asked_at: float | None = None
        self._forced = False
        self._unusable: ApplicationUnusable | None = None
        self._stop_wanted = False
        self._wake: Callable[[], None] = lambda: None
        self._watchdog = watchdog_interval(os.environ, os.getpid())
        self._alive_at = 0.0

    def run(self) -> int:
        """Supervise until told to end; the exit code. Main thread only.

        Raises ExtraMissing, CertificateUnusable, or what `bind` raises, before anything is started; ApplicationUnusable,
        after everything was ended, when the application can't be imported and no worker has ever served it.
        """
        if find_spec("uvicorn") is None:  # looked for and not imported: only the workers need it
            raise ExtraMissing("serve", "uvicorn")
        if self._spec.options.tls is not None:
            self._spec.options.tls.context()  # an unusable one is told now, not by each worker
        backlog = self._spec.options.backlog
        self._sockets = (
            list(self._given) if self._given is not None else [bind(self._host, self._port, backlog=backlog)]
        )
        self._predecessors = Predecessors(self._spec.timeouts)
        store_listeners(self._sockets)
        try:
            with Signals() as signals:
                self._wake = signals.wake
                self._supervise(signals)
        finally:
            self._abandon()
            forget_listeners()
            for sock in self._sockets:
                sock.close()
        if self._unusable is not None:
            raise self._unusable
        return 1 if self._forced else 0

    def stop(self) -> None:
        """As SIGTERM; any thread may call it."""
        self._stop_wanted = True
        self._wake()

    def _supervise(self, signals: Signals) -> None:
        self._manager = WorkerManager(
            self._size,
            timeouts=self._spec.timeouts,
            backoff=self._backoff,
            chance=random.random,
            now=self._clock.monotonic(),
            memory_limit=self._memory_limit,
        )
        self._stack = self._stacked(signals)
        self._running = self._services
        self._say_what_begins()
        turn = GuardedTurn("the supervisor", lambda: self._turn(signals))
        while not turn():
            channels = [each for process in self._processes.values() for each in process.waitables]
            wait([signals.waitable, *channels], _TICK)
        self._running = ()
        _logger.info("stopped%s", " by force" if self._forced else "")

    def _say_what_begins(self) -> None:
        _logger.info("serving %s on %s with %d workers", self._spec.app, addresses(self._sockets), self._size)
        restarter = restarted_by(os.environ, os.getpid(), os.getppid())
        if restarter is None:
            _logger.info(
                "if this process is killed, nothing starts it again; docs/how-to/run-as-a-service.md says what can"
            )
        else:
            _logger.info("if this process is killed, %s starts it again", restarter)

    def _turn(self, signals: Signals) -> bool:
        """One pass of the loop; True at the end."""
        now = self._clock.monotonic()
        for number in signals.take():
            self._handle(number, now)
        if self._stop_wanted:
            self._ask_to_stop(now)
        if self._watchdog is not None and now >= self._alive_at + self._watchdog:
            self._alive_at = now
            notify("WATCHDOG=1")
        self._listen(now)
        self._orphans.reap(now)  # after the workers' ends were heard
        self._weigh(now)
        self._tick_workers(now)
        self._predecessors.look(now)
        if not self._manager.stopping:
            self._predecessors.retire_to(self._manager.size - self._manager.ready, now)
            self._stack.poll(now)
            return False
        if not self._manager.empty or self._predecessors.left:
            return False
        return self._stack.stop(self._spec.timeouts.service_stop, now)

    def _tick_workers(self, now: float) -> None:
        if self._stack.all_started or self._manager.stopping:
            self._manager.tick(now)
        for action in self._manager.take():
            self._carry_out(action, now)
        if self._manager.ever_ready and not self._announced:
            self._announced = True
            self._announce()

    def _announce(self) -> None:
        notify("READY=1")
        if self._on_ready is None:
            return
        try:
            self._on_ready()
        except Exception:
            _logger.exception("on_ready failed; serving goes on")

    def _handle(self, number: int, now: float) -> None:
        name = signal.Signals(number).name
        _logger.info("received %s", name)
        if name == "SIGHUP":
            self._manager.roll(now)
        elif name == "SIGTTIN":
            self._manager.grow(now)
        elif name == "SIGTTOU":
            if not self._manager.shrink(now):
                _logger.warning("there is only one worker left; SIGTTOU takes none away")
        elif name == "SIGINT" and self._asked_at is not None:
            if now - self._asked_at >= _DEBOUNCE:
                self._force(now)
        else:
            self._ask_to_stop(now)

    def _ask_to_stop(self, now: float) -> None:
        if self._asked_at is not None:
            return
        self._asked_at = now
        notify("STOPPING=1")
        _logger.info("stopping: workers first, then services; Ctrl-C once more ends all at once")
        self._manager.stop(now)
        self._predecessors.stop(now)

    def _force(self, now: float) -> None:
        if self._forced:
            return
        self._forced = True
        _logger.warning("forced: killing what is left")
        self._manager.force()
        self._predecessors.kill()
        self._stack.force(now)

    def _listen(self, now: float) -> None:
        for number, process in list(self._processes.items()):
            for phase in process.received():
                self._manager.heard(number, phase, now)
            exitcode = process.exitcode
            if exitcode is not None:
                for phase in process.received():  # what it sent between the last look and its end
                    self._manager.heard(number, phase, now)
                self._look_at_problem(process, now)
                del self._processes[number]
                process.close()
                self._manager.exited(number, exitcode, now)

    def _weigh(self, now: float) -> None:
        if self._memory_limit is None or now < self._weighed_at + _WEIGH_EVERY:
            return
        self._weighed_at = now
        for number, process in self._processes.items():
            resident = resident_bytes(process.pid)
            if resident is not None:
                self._manager.weighed(number, resident, now)

    def _look_at_problem(self, process: WorkerProcess, now: float) -> None:
        """An application that was served before may be whole again soon; one that never was needs somebody to repair it."""
        served = self._manager.ever_served or self._predecessors.left
        if process.problem is not None and not served and self._asked_at is None:
            self._unusable = ApplicationUnusable(self._spec.app, process.problem)
            self._ask_to_stop(now)

    def _carry_out(self, action: Action, now: float) -> None:
        match action:
            case Spawn(number, slot):
                self._spawn(number, slot, now)
            case Send(number, order) if number in self._processes:
                self._processes[number].send(order)
            case Kill(number) if number in self._processes:
                self._processes[number].kill()
            case Note(event):
                log_and_emit(event)
                if isinstance(event, RollFinished):  # the release of the workers is good; programs beside them follow
                    self._stack.renew(_is_outdated, self._spec.timeouts.service_stop, now)

    def _spawn(self, number: int, slot: int, now: float) -> None:
        try:
            self._processes[number] = WorkerProcess(self._spec, slot, self._sockets)
        except OSError as exc:
            self._manager.exited(number, None, now, reason=f"could not be started: {exc}")
        else:
            self._manager.spawned(number, self._processes[number].pid)

    def _stacked(self, signals: Signals) -> ServiceStack:
        made: list[ServiceMonitor] = [
            ServiceMonitor(
                service,
                backoff=self._backoff,
                stable_after=self._spec.timeouts.stable_after,
                chance=random.random,
                launch=in_thread(signals.wake),
                note=log_and_emit,
            )
            for service in self._services
        ]
        return ServiceStack(made)

    def _abandon(self) -> None:
        """After an error of our own: leave no process behind. After an orderly end there is nothing left to do."""
        self._predecessors.kill()
        for process in self._processes.values():
            process.kill()
            process.close()
        self._processes.clear()
        for service in reversed(self._running):
            try:
                service.stop(_EMERGENCY_STOP)
            except Exception:
                _logger.exception("service %s could not be stopped", service.name)


def _is_outdated(service: Service) -> bool:
    return isinstance(service, Program) and service.outdated
