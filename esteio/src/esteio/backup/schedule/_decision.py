"""What is due. Pure: time comes in.

Promises: however many moments were missed, a task is due once. A task seen for the first time waits for its next
moment. When the clock was set back, what ran in the future that was is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from esteio.backup.schedule._cron import Cron

__all__ = ["DAILY", "EVERY_SIX_HOURS", "Decision", "Task", "decide"]


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done at the moments of `cron`: a backup of `kind`."""

    name: str
    cron: Cron
    kind: str


DAILY = Task("daily", Cron("0 2 * * *"), "base")
EVERY_SIX_HOURS = Task("every-six-hours", Cron("0 */6 * * *"), "dump")


@dataclass(frozen=True, slots=True)
class Decision:
    """What to run now, in order; when to look again, in seconds since the epoch; and what to remember till then."""

    due: tuple[Task, ...]
    next: float
    handled: Mapping[str, float]


def decide(tasks: Sequence[Task], handled: Mapping[str, float], now: float) -> Decision:
    """What of `tasks` is due at `now`, when each was last handled at the moment `handled` says."""
    known = {task.name: min(handled.get(task.name, now), now) for task in tasks}
    due = tuple(task for task in tasks if task.cron.previous(now) > known[task.name])
    return Decision(due, min((task.cron.next(now) for task in tasks), default=float("inf")), known)
