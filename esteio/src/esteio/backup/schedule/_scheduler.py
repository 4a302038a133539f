"""The built-in scheduler, as a service of `esteio.serve`.

Promises: one in each directory, the next is refused with `AlreadyRunning`. Jobs run one after the other, so they never
overlap. What was handled is remembered in a file that is replaced whole; a run that was killed on its way is due again at
the next start. A file that can't be read is no memory, and one that can't be written changes nothing but the next start;
both are logged.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from random import random as system_random
from typing import Any

from esteio import events
from esteio.backup._errors import AlreadyRunning
from esteio.backup._lock import Lock
from esteio.backup.schedule._cron import Errand, Job, Known, Outcome, Task, after, decide
from esteio.clock import SYSTEM, Clock
from esteio.errors import EsteioError
from esteio.events import Event
from esteio.system import atomic_write

__all__ = ["Scheduler", "TaskBegun", "TaskFailed", "TaskFinished", "TaskRefused", "recall", "remember"]


@dataclass(frozen=True, slots=True)
class TaskBegun(Event):
    """It runs now: a backup of `kind`; `reason` says why, where that is not the time of day."""

    kind: str
    reason: str

    def __str__(self) -> str:
        why = f" because {self.reason}" if self.reason else ""
        return f"scheduled task {self.name} begins ({self.kind}){why}"


@dataclass(frozen=True, slots=True)
class TaskFinished(Event):
    """It ran to its end."""

    seconds: float

    def __str__(self) -> str:
        return f"scheduled task {self.name} finished after {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class TaskFailed(Event):
    """It raised `error`, `failures` times in a row; it runs again in `again` seconds, or at its next moment."""

    error: Exception
    failures: int
    again: float

    def __str__(self) -> str:
        return (
            f"scheduled task {self.name} failed ({self.failures} in a row): {self.error}; "
            f"it runs again in {self.again / 60:.0f} min, or at its next moment"
        )


@dataclass(frozen=True, slots=True)
class TaskRefused(Event):
    """Another run was under way; it runs again in `again` seconds."""

    error: Exception
    again: float

    def __str__(self) -> str:
        return f"scheduled task {self.name} waits {self.again / 60:.0f} min: {self.error}"


_logger = logging.getLogger("esteio.backup")


def recall(path: Path) -> dict[str, Known]:
    """What `remember` wrote."""
    try:
        found = json.loads(path.read_text())
        return {str(name): _known(each) for name, each in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        _logger.warning("%s cannot be read: tasks wait for their next moment", path)
        return {}


def remember(path: Path, known: Mapping[str, Known]) -> None:
    """Write it so that it is there after a crash."""
    try:
        atomic_write(path, json.dumps({name: asdict(each) for name, each in known.items()}).encode())
    except OSError as error:
        _logger.warning("%s cannot be written: after a restart, what ran now may run again: %s", path, error)


def _known(found: Any) -> Known:
    if isinstance(found, dict):
        again = found.get("again")
        return Known(float(found["handled"]), int(found.get("failures", 0)), None if again is None else float(again))
    return Known(float(found))


_LOCK = ".schedule.lock"
_STATE = ".schedule.json"
_LONGEST_WAIT = 30.0  # seconds, so that a clock that was set is noticed
_ASKED_EVERY = 60.0  # seconds between two questions whether anything is wanted
_CLOSELY = 10.0  # the same in the minute after something happened that may change the answer


class Scheduler:
    """Calls `run` with each of `tasks` when it is due; `directory` holds the lock and the memory.

    Each start is late by up to `jitter` seconds, so that many machines do not begin at the same moment. `wanted` is
    asked every minute, and after `ask`, for an errand beyond them. `interrupt`, where there is one, makes a `run` under
    way end soon.
    """

    name = "backup schedule"

    def __init__(
        self,
        tasks: Sequence[Task],
        run: Callable[[Job], object],
        directory: Path,
        *,
        wanted: Callable[[], Errand | None] = lambda: None,
        interrupt: Callable[[], object] = lambda: None,
        jitter: float = 30.0,
        random: Callable[[], float] = system_random,
        clock: Clock = SYSTEM,
    ) -> None:
        self._tasks = tuple(tasks)
        self._run = run
        self._directory = directory
        self._wanted = wanted
        self._interrupt = interrupt
        self._jitter = jitter
        self._random = random
        self._clock = clock
        self._known: Mapping[str, Known] | None = None
        self._asked_at = float("-inf")
        self._closely_until = float("-inf")
        self._cannot_ask = ""
        self._ending = threading.Event()
        self._look_now = threading.Event()
        self._thread: threading.Thread | None = None

    def tick(self) -> float:
        """Run what is due now; how many seconds until it is worth looking again."""
        decision = decide(self._tasks, self._remembered(), self._clock.time(), self._errand())
        self._remember(decision.known)
        for job in decision.due:
            if self._ending.is_set():
                break
            known = self._one(job, decision.known[job.name])
            if known is not None:
                self._remember({**self._remembered(), job.name: known})
        if decision.due:
            return 0.0
        until = decision.next - self._clock.time()
        late = self._jitter * self._random() if until <= _LONGEST_WAIT else 0.0
        return min(max(0.0, min(until, _LONGEST_WAIT)) + late, self._question_every())

    def ask(self) -> None:
        """Ask at once, and for a minute more often, whether anything is wanted; any thread may call it."""
        self._asked_at = float("-inf")
        self._closely_until = self._clock.monotonic() + _ASKED_EVERY
        self._look_now.set()

    # As a service

    def start(self) -> None:
        """Begin; AlreadyRunning when another one does this in the same directory."""
        self.stop(0.0)
        self._ending.clear()
        with ExitStack() as stack:
            stack.enter_context(Lock(self._directory / _LOCK))
            self._known = None
            self._remembered()
            held = stack.pop_all()
        self._thread = threading.Thread(target=self._work, args=(held,), name=f"esteio {self.name}", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it looks at the time."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """End it; a task that runs is interrupted, or else waited for, up to `timeout` seconds."""
        self._ending.set()
        self._look_now.set()
        if self._thread is not None:
            self._interrupt()
            self._thread.join(timeout)

    def _work(self, held: ExitStack) -> None:
        with held:
            while True:
                self._look_now.clear()
                if self._ending.is_set():
                    return
                self._look_now.wait(self.tick())

    def _one(self, job: Job, known: Known) -> Known | None:
        """Run `job`; what to remember of it, None when it was interrupted."""
        began = self._clock.monotonic()
        events.emit(TaskBegun(job.name, job.kind, job.reason if isinstance(job, Errand) else ""))
        try:
            self._run(job)
        except AlreadyRunning as error:
            return self._ended(job, known, Outcome.REFUSED, error)
        except Exception as error:  # noqa: BLE001 - told, and tried again
            return None if self._ending.is_set() else self._ended(job, known, Outcome.FAILED, error)
        events.emit(TaskFinished(job.name, self._clock.monotonic() - began))
        return after(job, known, Outcome.DONE, self._clock.time())

    def _ended(self, job: Job, known: Known, outcome: Outcome, error: Exception) -> Known:
        now = self._clock.time()
        found = after(job, known, outcome, now)
        again = (found.again or now) - now
        if outcome is Outcome.REFUSED:
            told: TaskRefused | TaskFailed = TaskRefused(job.name, error, again)
        else:
            told = TaskFailed(job.name, error, found.failures, again)
        _logger.warning("%s", told, exc_info=None if isinstance(error, EsteioError) else error)
        events.emit(told)
        return found

    def _errand(self) -> Errand | None:
        now = self._clock.monotonic()
        if now - self._asked_at < self._question_every():
            return None
        self._asked_at = now
        try:
            wanted = self._wanted()
        except Exception as error:  # noqa: BLE001 - whatever keeps it from being known keeps no task from its moment
            if str(error) != self._cannot_ask:
                _logger.warning("whether a backup is wanted cannot be known: %s", error)
            self._cannot_ask = str(error)
            return None
        self._cannot_ask = ""
        return wanted

    def _question_every(self) -> float:
        return _CLOSELY if self._clock.monotonic() < self._closely_until else _ASKED_EVERY

    # Memory

    def _remembered(self) -> Mapping[str, Known]:
        if self._known is None:
            self._known = recall(self._directory / _STATE)
        return self._known

    def _remember(self, known: Mapping[str, Known]) -> None:
        if known != self._known:
            self._known = known
            remember(self._directory / _STATE, known)
