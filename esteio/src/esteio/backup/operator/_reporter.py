"""Writes how the backups are, every minute, after each run and when told to, as a service of `esteio.serve`.

Promises: whatever fails while it looks is in what it writes, and nothing it meets ends it. In order ended, it takes its
file away: who makes no backups claims nothing. A problem is logged once, when it has lasted for two looks.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from esteio import events
from esteio.backup._problem import Problem, Trouble, why
from esteio.backup.operator._deferred import Deferred
from esteio.backup.operator._state import OperatorState, write_state
from esteio.backup.schedule import TaskFailed, TaskFinished
from esteio.clock import SYSTEM, Clock
from esteio.events import Event

if TYPE_CHECKING:
    from esteio.backup._backups import Backups
    from esteio.backup.physical import WalArchive

__all__ = ["Reporter"]

_logger = logging.getLogger("esteio.backup")
_NUMBER = re.compile(r"\b\d+(\.\d+)?\b")  # an age that grows does not make a problem new


class Reporter:
    """Looks at `backups`, at the `archive` where there is one, and at `services` (names and what is wrong with each).

    Writes to `path` every `every` seconds. While `active` says no, another machine makes the backups, and nothing is
    looked at.
    """

    name = "backup report"

    def __init__(
        self,
        path: Path,
        backups: Backups,
        archive: Deferred[WalArchive] | None,
        services: Callable[[], Mapping[str, str]],
        *,
        active: Callable[[], bool] = lambda: True,
        every: float = 60.0,
        clock: Clock = SYSTEM,
    ) -> None:
        self._path = path
        self._backups = backups
        self._archive = archive
        self._services = services
        self._active = active
        self._every = every
        self._clock = clock
        self._seen: frozenset[str] = frozenset()
        self._told: frozenset[str] = frozenset()
        self._ending = threading.Event()
        self._look_now = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> OperatorState:
        """How everything is now."""
        active = self._active()
        found = OperatorState(self._clock.time(), os.getpid(), active, services=dict(self._services()))
        if not active:
            return found
        said: list[Problem] = []
        for part in (self._of_backups, self._of_archive):
            try:
                found = part(found)
            except Exception as error:  # noqa: BLE001 - what can't be seen is told
                said.append(Problem.of(Trouble.UNSEEN, reason=why(error)))
        said += [
            Problem.of(Trouble.SERVICE_DOWN, service=name, reason=reason)
            for name, reason in found.services.items()
            if reason
        ]
        return replace(found, amiss=(*found.amiss, *said))

    def soon(self) -> None:
        """Look at once: something has changed; any thread may call it."""
        self._look_now.set()

    # As a service

    def start(self) -> None:
        """Begin."""
        self.stop(0.0)
        self._ending.clear()
        self._look_now.clear()
        self._thread = threading.Thread(target=self._work, name=f"esteio {self.name}", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it looks."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """End it, and take the file away."""
        self._ending.set()
        self._look_now.set()
        if self._thread is not None:
            self._thread.join(timeout)
            self._path.unlink(missing_ok=True)

    def _work(self) -> None:
        unsubscribe = events.subscribe(self._heard)
        try:
            while not self._ending.is_set():
                self._look_now.clear()
                self._write(self.look())
                self._look_now.wait(self._every)
        finally:
            unsubscribe()

    def _heard(self, event: Event) -> None:
        if isinstance(event, TaskFinished | TaskFailed):
            self.soon()

    def _write(self, state: OperatorState) -> None:
        if self._ending.is_set():
            return
        self._tell([str(problem) for problem in (*state.found, *state.amiss)])
        try:
            write_state(self._path, state)
        except OSError as error:
            _logger.warning("%s cannot be written, nobody can read how the backups are: %s", self._path, error)

    def _tell(self, problems: Sequence[str]) -> None:
        kinds = {_NUMBER.sub("", problem): problem for problem in problems}
        lasting = kinds.keys() & self._seen
        for kind in lasting - self._told:
            _logger.warning("backups: %s", kinds[kind])
        if self._told and not kinds:
            _logger.info("backups: all is well again")
        self._seen, self._told = frozenset(kinds), frozenset(lasting)

    # Looking

    def _of_backups(self, state: OperatorState) -> OperatorState:
        status = self._backups.status()
        proof = next((each.proof for each in self._backups.entries() if each.id == status.verified), None)
        return replace(
            state,
            found=status.problems,
            newest=status.newest,
            newest_age=status.newest_age,
            verified=status.verified,
            verified_age=status.verified_age,
            restore_seconds=proof.restore_seconds if proof else None,
        )

    def _of_archive(self, state: OperatorState) -> OperatorState:
        if self._archive is None or self._archive.service is None:
            return state
        # What is wrong with it the status of the backups says, from the file the archive writes.
        return replace(state, lag=self._archive.service.status().lag)
