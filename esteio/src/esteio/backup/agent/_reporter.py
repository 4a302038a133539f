"""The agent's report: how the backups are, written every minute, after each run and when told to, for others to read.

Promises: whatever fails while it looks is in what it writes, and nothing it meets ends it. In order ended, it takes its
file away: who makes no backups claims nothing. A problem is logged once, when it has lasted for two looks. The file is
replaced whole, so a reader sees the old one or the new one. What is in it is true at `at`; who reads asks `problems` with
the time of day, so that an agent that is silent is a problem too.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esteio import events
from esteio.backup._problem import Problem, ProblemCode, why
from esteio.backup.agent._services import Deferred
from esteio.backup.schedule import TaskFailed, TaskFinished
from esteio.clock import SYSTEM, Clock
from esteio.events import Event
from esteio.system import atomic_write

if TYPE_CHECKING:
    from esteio.backup._backups import Backups
    from esteio.backup._catalogue import Entry
    from esteio.backup._manifest import Manifest
    from esteio.backup.archive import WalArchive

__all__ = ["AgentState", "Reporter", "read_state", "write_state"]

_SILENT = 300.0  # seconds after which an agent that wrote nothing is taken as gone
_REACH_EVERY = 300.0  # seconds
_PROBLEMS = ("found", "amiss")
_RECENT, _MOST_RECENT = 62 * 86_400.0, 500  # seconds and backups


@dataclass(frozen=True, slots=True)
class AgentState:
    """Moments in seconds since the epoch, ages in seconds at `at`; None where there is nothing to tell."""

    at: float
    pid: int
    active: bool
    """False: another machine makes the backups now, and this one waits."""
    found: tuple[Problem, ...] = ()
    """What is bad of the backups; anybody can find that out from the stores."""
    amiss: tuple[Problem, ...] = ()
    """What is bad of the archive and of what else runs here; only the agent knows."""
    newest: str | None = None
    newest_age: float | None = None
    verified: str | None = None
    verified_age: float | None = None
    restore_seconds: float | None = None
    """How long the verification of the newest verified backup took to restore."""
    reach_from: float | None = None
    """The first moment that can be restored to, seconds since the epoch; None without a base."""
    reach_to: float | None = None
    """The last one, when that was last looked up, up to five minutes before `at`."""
    lag: int | None = None
    """Bytes of the log that are not in the archive yet; None without an archive, or while the server is away."""
    waits: Mapping[str, float] = field(default_factory=dict)
    """Seconds that the oldest piece of the log has waited for each store."""
    services: Mapping[str, str] = field(default_factory=dict)
    """What runs in the agent, and why it does not; empty when it does."""
    recent: Sequence[Mapping[str, Any]] = ()
    """The complete backups of the last two months, at most `_MOST_RECENT`, the oldest first: `name`, `kind`, `began` (seconds
    since the epoch), `size`; `verified` (likewise), `sound`, `restore_seconds` and `rows`, None before a verification.
    """

    def problems(self, now: float) -> tuple[Problem, ...]:
        """What is bad at `now` beyond what the stores tell."""
        if (silent := now - self.at) > _SILENT:
            return (Problem.of(ProblemCode.AGENT_SILENT, minutes=silent / 60), *self.amiss)
        return self.amiss


Sentence = Callable[[Problem], str]


def write_state(path: Path, state: AgentState, languages: Mapping[str, Sentence] | None = None) -> None:
    """Replace what `path` says, with each problem's sentence in each of the `languages`; OSError when that can't be done."""
    plain = {field.name: getattr(state, field.name) for field in fields(state)}
    plain |= {
        name: [
            problem.plain() | {"texts": {tag: said(problem) for tag, said in (languages or {}).items()}}
            for problem in plain[name]
        ]
        for name in _PROBLEMS
    }
    atomic_write(path, (json.dumps(plain, ensure_ascii=False, indent=2) + "\n").encode())


def read_state(path: Path) -> AgentState | None:
    """What an agent wrote; None when there is none, or it can't be understood."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        problems = {name: tuple(map(Problem.from_plain, found[name])) for name in _PROBLEMS}
        known = {field.name: found[field.name] for field in fields(AgentState) if field.name in found}
        recent = tuple(known.pop("recent", ()))
        return AgentState(**{**known, **problems}, recent=recent)  # what a newer release adds is left out
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


_logger = logging.getLogger("esteio.backup")
_NUMBER = re.compile(r"\b\d+(\.\d+)?\b")  # an age that grows does not make a problem new


class Reporter:
    """Looks at `backups`, at the `archive` where there is one, and at `services` (names and what is wrong with each).

    Writes to `path` every `every` seconds, problems in English and in the `languages`, by tag. While `active` says no, another
    machine makes the backups, and nothing is looked at.
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
        languages: Mapping[str, Sentence] | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._path = path
        self._languages = languages
        self._reach: tuple[float | None, float | None] = (None, None)
        self._reach_due = float("-inf")
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

    def look(self) -> AgentState:
        """How everything is now."""
        active = self._active()
        found = AgentState(self._clock.time(), os.getpid(), active, services=dict(self._services()))
        if not active:
            return found
        said: list[Problem] = []
        for part in (self._of_backups, self._of_reach, self._of_archive):
            try:
                found = part(found)
            except Exception as error:  # noqa: BLE001 - what can't be seen is told
                said.append(Problem.of(ProblemCode.UNSEEN, reason=why(error)))
        said += [
            Problem.of(ProblemCode.SERVICE_DOWN, service=name, reason=reason)
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

    def _write(self, state: AgentState) -> None:
        if self._ending.is_set():
            return
        self._tell([str(problem) for problem in (*state.found, *state.amiss)])
        try:
            write_state(self._path, state, self._languages)
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

    def _of_backups(self, state: AgentState) -> AgentState:
        status = self._backups.status()
        entries = self._backups.entries()
        verification = next((each.verification for each in entries if each.id == status.verified), None)
        return replace(
            state,
            found=status.problems,
            newest=status.newest,
            newest_age=status.newest_age,
            verified=status.verified,
            verified_age=status.verified_age,
            restore_seconds=verification.restore_seconds if verification else None,
            recent=_recent(entries, self._clock.time()),
        )

    def _of_reach(self, state: AgentState) -> AgentState:
        """Looked up now and then only: it lists the whole log in every store."""
        if self._clock.monotonic() >= self._reach_due:
            self._reach_due = self._clock.monotonic() + _REACH_EVERY
            windows = list(self._backups.cluster.windows().values())
            self._reach = (
                min((each.begins.timestamp() for each in windows), default=None),
                max((each.ends.timestamp() for each in windows), default=None),
            )
        return replace(state, reach_from=self._reach[0], reach_to=self._reach[1])

    def _of_archive(self, state: AgentState) -> AgentState:
        if self._archive is None or self._archive.service is None:
            return state
        # What is wrong with it the status of the backups says, from the file the archive writes.
        status = self._archive.service.status()
        return replace(state, lag=status.lag, waits={each.store: each.waited for each in status.stores})


def _recent(entries: Sequence[Entry], now: float) -> tuple[Mapping[str, Any], ...]:
    found = [_plain(entry, entry.manifest) for entry in entries if entry.manifest is not None]
    return tuple(each for each in found if each["began"] > now - _RECENT)[-_MOST_RECENT:]


def _plain(entry: Entry, manifest: Manifest) -> Mapping[str, Any]:
    verification = entry.verification
    return {
        "name": entry.id,
        "kind": manifest.kind,
        "began": entry.began.timestamp(),
        "size": manifest.stored,
        "verified": verification.when.timestamp() if verification else None,
        "sound": verification is not None and verification.ok,
        "restore_seconds": verification.restore_seconds if verification else None,
        "rows": verification.rows if verification else None,
    }
