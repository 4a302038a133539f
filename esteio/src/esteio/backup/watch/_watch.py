"""The watch over backups, as a service of `esteio.serve`.

Promises: what it remembers is replaced whole in a file after it was told, so that a restart repeats nothing and a crash
in between repeats once. Where the file can't be written it goes on from memory, and says so in the log.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from esteio import events
from esteio.backup.watch._decision import Memory, decide
from esteio.backup.watch._events import BackupsGreen, BackupsRed
from esteio.clock import SYSTEM, Clock
from esteio.system import atomic_write

__all__ = ["Watch"]

_logger = logging.getLogger("esteio.backup")


class Watch:
    """Asks each of `sources` for problems every `every` seconds and emits `BackupsRed` and `BackupsGreen` about `backups`.

    `state` is the file of what it remembers; its directory exists. A source that raises is a problem.
    """

    name = "backup watch"

    def __init__(
        self,
        backups: str,
        sources: Sequence[Callable[[], Sequence[str]]],
        state: Path,
        *,
        every: float = 60.0,
        clock: Clock = SYSTEM,
    ) -> None:
        self._backups = backups
        self._sources = tuple(sources)
        self._state = state
        self._every = every
        self._clock = clock
        self._memory: Memory | None = None
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> tuple[str, ...]:
        """Look once and tell what has to be told; what was found."""
        problems = self._problems()
        before = self._remembered() if self._memory is None else self._memory
        decision = decide(before, problems, self._clock.time())
        if decision.red:
            events.emit(BackupsRed(self._backups, decision.red))
        if decision.green:
            events.emit(BackupsGreen(self._backups))
        if decision.memory != before:
            self._remember(decision.memory)
        self._memory = decision.memory
        return problems

    # As a service

    def start(self) -> None:
        """Begin to look."""
        self.stop(0.0)
        self._ending = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(self._ending,), name=f"esteio {self.name}", daemon=True
        )
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it looks."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """End it; a look on its way is waited for up to `timeout` seconds."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _work(self, ending: threading.Event) -> None:
        while not ending.is_set():
            self.look()
            ending.wait(self._every)

    def _problems(self) -> tuple[str, ...]:
        found: list[str] = []
        for source in self._sources:
            try:
                found += source()
            except Exception as error:
                _logger.debug("backups %s", self._backups, exc_info=True)
                found.append(f"it cannot be seen how the backups are: {error}")
        return tuple(dict.fromkeys(found))

    # Memory

    def _remembered(self) -> Memory:
        try:
            given = json.loads(self._state.read_bytes())
            told = {str(problem): float(when) for problem, when in given["told"].items()}
            return Memory(frozenset(map(str, given["seen"])), told, bool(given["red"]), int(given["clear"]))
        except FileNotFoundError:
            return Memory()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            _logger.warning("%s cannot be read: what is bad is told anew", self._state)
            return Memory()

    def _remember(self, memory: Memory) -> None:
        text = json.dumps({**asdict(memory), "seen": sorted(memory.seen)}, ensure_ascii=False)
        try:
            atomic_write(self._state, text.encode())
        except OSError as error:
            _logger.warning("%s cannot be written (%s): after a restart it is told anew", self._state, error.strerror)
