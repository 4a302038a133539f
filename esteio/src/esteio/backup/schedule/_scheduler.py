"""The built-in scheduler, as a service of `esteio.serve`.

Promises: one in each directory, the next is refused with `AlreadyRunning`. Tasks run one after the other, so they
never overlap. What was handled is remembered in a file that is replaced whole; a run that was killed on its way is due
again at the next start.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import random as system_random

from esteio import events
from esteio.backup._lock import Lock
from esteio.backup.schedule._decision import Task, decide
from esteio.backup.schedule._events import TaskFailed, TaskFinished
from esteio.clock import SYSTEM, Clock

__all__ = ["Scheduler"]

_logger = logging.getLogger("esteio.backup")
_LOCK = ".schedule.lock"
_STATE = ".schedule.json"
_LONGEST_WAIT = 30.0  # seconds, so that a clock that was set is noticed


class Scheduler:
    """Calls `run` with each of `tasks` when it is due; `directory` holds the lock and the memory.

    Each start is late by up to `jitter` seconds, so that many machines do not begin at the same moment.
    """

    name = "backup schedule"

    def __init__(
        self,
        tasks: Sequence[Task],
        run: Callable[[Task], object],
        directory: Path,
        *,
        jitter: float = 30.0,
        random: Callable[[], float] = system_random,
        clock: Clock = SYSTEM,
    ) -> None:
        self._tasks = tuple(tasks)
        self._run = run
        self._directory = directory
        self._jitter = jitter
        self._random = random
        self._clock = clock
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def tick(self) -> float:
        """Run what is due now; how many seconds until it is worth looking again."""
        remembered = self._remembered()
        decision = decide(self._tasks, remembered, self._clock.time())
        if decision.handled != remembered:
            self._remember(decision.handled)
        for task in decision.due:
            if self._ending.is_set():
                break
            self._one(task)
            self._remember({**self._remembered(), task.name: self._clock.time()})
        until = decision.next - self._clock.time()
        late = self._jitter * self._random() if until <= _LONGEST_WAIT else 0.0
        return max(0.0, min(until, _LONGEST_WAIT)) + late

    # As a service

    def start(self) -> None:
        """Begin; AlreadyRunning when another one does this in the same directory."""
        self.stop(0.0)
        self._ending.clear()
        with ExitStack() as stack:
            stack.enter_context(Lock(self._directory / _LOCK))
            self._remembered()
            held = stack.pop_all()
        self._thread = threading.Thread(target=self._work, args=(held,), name=f"esteio {self.name}", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it looks at the time."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """End it; a task that runs is waited for up to `timeout` seconds."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _work(self, held: ExitStack) -> None:
        with held:
            while not self._ending.is_set():
                self._ending.wait(self.tick())

    def _one(self, task: Task) -> None:
        began = self._clock.monotonic()
        try:
            self._run(task)
        except Exception as error:
            _logger.exception("scheduled task %s failed", task.name)
            events.emit(TaskFailed(task.name, error))
        else:
            events.emit(TaskFinished(task.name, self._clock.monotonic() - began))

    # Memory

    def _remembered(self) -> dict[str, float]:
        try:
            found = json.loads((self._directory / _STATE).read_text())
            return {str(name): float(moment) for name, moment in found.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, TypeError):
            _logger.warning("%s cannot be read: tasks wait for their next moment", self._directory / _STATE)
            return {}

    def _remember(self, handled: Mapping[str, float]) -> None:
        path = self._directory / _STATE
        unfinished = path.with_suffix(".new")
        with unfinished.open("w") as file:
            json.dump(dict(handled), file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
