"""Backups that turn bad are told, and told to be well again: once each, not every minute.

Promises: a problem is told when two looks in a row have found it; what lasts is told again once a day; a look that
fails is a problem too. A restart repeats nothing.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from esteio import events
from esteio.clock import SYSTEM, Clock
from esteio.events import Event
from esteio.system import atomic_write

__all__ = ["BackupsGreen", "BackupsRed", "Watch"]

AGAIN = 86400.0
COOLDOWN = 3600.0
_LOOKS = 2
_PARTICULAR = re.compile(r"\S*\d\S*")


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered from look to look."""

    seen: frozenset[str] = frozenset()
    """What the last look found."""
    told: Mapping[str, float] = field(default_factory=dict)
    """When each problem was last told, in seconds since the epoch."""
    red: bool = False
    """Whether red was told, and green not yet."""
    clear: int = 0
    """Looks in a row that found nothing, counted as far as they matter."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to tell: `red` problems, or that all is `green` again, or nothing; and what to remember."""

    red: tuple[str, ...]
    green: bool
    memory: Memory


def decide(memory: Memory, problems: Sequence[str], now: float) -> Decision:
    """What a look that found `problems` at `now` (seconds since the epoch) leads to."""
    found = {_PARTICULAR.sub("#", problem): problem for problem in problems}
    # When the clock was set back, nothing was told in the future.
    told = {each: min(when, now) for each, when in memory.told.items() if now - when < AGAIN}
    lasting = [each for each in found if each in memory.seen]
    due = [each for each in lasting if each not in told or (not memory.red and now - told[each] >= COOLDOWN)]
    if due:
        told |= dict.fromkeys(lasting, now)
    clear = 0 if found else min(memory.clear + 1, _LOOKS)
    green = memory.red and clear == _LOOKS
    red = tuple(found[each] for each in lasting) if due else ()
    return Decision(red, green, Memory(frozenset(found), told, bool(due) or (memory.red and not green), clear))


@dataclass(frozen=True, slots=True)
class BackupsRed(Event):
    """Somebody has to get up: `problems` have lasted."""

    problems: tuple[str, ...]

    def __str__(self) -> str:
        return f"backups {self.name} are red: {'; '.join(self.problems)}"


@dataclass(frozen=True, slots=True)
class BackupsGreen(Event):
    """All has been well again for two looks."""

    def __str__(self) -> str:
        return f"backups {self.name} are well again"


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
