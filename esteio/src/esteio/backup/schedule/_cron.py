"""When a task is due, by a cron expression in a timezone (`esteio.cron`), and what is due now. Pure: time comes in.

Promises: however many moments were missed, a task is due once. A task seen for the first time waits for its next
moment. What failed is due again after 5, 15, then every 60 minutes, or at its next moment if that comes first; what
was refused because another run was under way, after 2 minutes. An errand is run at once, but each time later when it
comes back within a day. An incremental that is due together with a base is covered by it. When the clock was set back,
what ran in the future that was is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from esteio import cron
from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupError
from esteio.cron import CronError, CronProblem

__all__ = [
    "DAILY",
    "EVERY_SIX_HOURS",
    "Cron",
    "Decision",
    "Errand",
    "Job",
    "Known",
    "Outcome",
    "ScheduleError",
    "Task",
    "after",
    "decide",
]


class ScheduleError(BackupError, ValueError):
    """A schedule that can't be understood, or not be said in another scheduler's words."""

    def __init__(self, what: str, value: str, allowed: str) -> None:
        self.what = what
        self.value = value
        self.allowed = allowed
        super().__init__(f"schedule: {what} is {value!r}; allowed: {allowed}")


@dataclass(frozen=True, slots=True)
class Cron(cron.Cron):
    """`expression` in `timezone`, a name such as America/Sao_Paulo; ScheduleError when either is not understood."""

    def __post_init__(self) -> None:
        try:
            cron.Cron.__post_init__(self)
        except CronError as error:
            raise _schedule_error(error) from None


def _schedule_error(error: CronError) -> ScheduleError:
    if error.problem is CronProblem.TIMEZONE:
        return ScheduleError(DetailCode.TIMEZONE(), error.value, DetailCode.TIMEZONES())
    fields = error.problem is CronProblem.FIELDS
    allowed = DetailCode.CRONTAB_FIELDS(error=error.reason) if fields else DetailCode.FIVE_FIELDS()
    return ScheduleError(DetailCode.EXPRESSION(), error.value, allowed)


_AFTER_FAILURES = (300.0, 900.0, 3600.0)  # seconds; the last one for all further failures
_AFTER_REFUSAL = 120.0
_AFTER_ERRANDS = (60.0, 300.0, 900.0, 3600.0)  # what is wanted again and again is perhaps wanted by mistake
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done at the moments of `cron`: a backup of `kind`."""

    name: str
    cron: Cron
    kind: str


@dataclass(frozen=True, slots=True)
class Errand:
    """Something to be done now, because `reason`: a backup of `kind`."""

    name: str
    kind: str
    reason: str


Job = Task | Errand

DAILY = Task("daily", Cron("0 2 * * *"), "base")
EVERY_SIX_HOURS = Task("every-six-hours", Cron("0 */6 * * *"), "dump")


class Outcome(Enum):
    """How a run ended."""

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"  # another run was under way


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a job; moments in seconds since the epoch.

    Its moments up to `handled` are dealt with. It failed `failures` times in a row; an errand that was run counts too,
    for a day. `again` is when a task is due without a moment of its own, and until when an errand is not run.
    """

    handled: float
    failures: int = 0
    again: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to run now, in order; when to look again, in seconds since the epoch; and what to remember till then."""

    due: tuple[Job, ...]
    next: float
    known: Mapping[str, Known]


def decide(tasks: Sequence[Task], known: Mapping[str, Known], now: float, errand: Errand | None = None) -> Decision:
    """What of `tasks` is due at `now`, and whether `errand` is run, with what is `known` of them by name."""
    jobs: tuple[Job, ...] = (*((errand,) if errand else ()), *tasks)
    seen = {job.name: _as_of(known.get(job.name, Known(now)), now) for job in jobs}
    due = tuple(job for job in jobs if _is_due(job, seen[job.name], now))
    if errand and any(isinstance(job, Task) and job.kind == errand.kind for job in due):
        due = tuple(job for job in due if job is not errand)  # the task does it
    if any(job.kind == "base" for job in due):  # and what changed since is in a base that is made now
        covered = [job for job in due if job.kind == "incremental"]
        seen |= {job.name: Known(now) for job in covered}
        due = tuple(job for job in due if job not in covered)
    moments = [task.cron.next(now) for task in tasks]
    moments += [each.again for each in seen.values() if each.again is not None and each.again > now]
    return Decision(due, min(moments, default=float("inf")), {**known, **seen})


def after(job: Job, known: Known, outcome: Outcome, now: float) -> Known:
    """What to remember of `job`, which ended at `now`."""
    if isinstance(job, Errand) and outcome is Outcome.DONE:
        count = known.failures if now - known.handled < _DAY else 0
        return Known(now, count + 1, now + _AFTER_ERRANDS[min(count, len(_AFTER_ERRANDS) - 1)])
    if outcome is Outcome.DONE:
        return Known(now)
    if outcome is Outcome.REFUSED:
        return Known(now, known.failures, now + _AFTER_REFUSAL)
    wait = _AFTER_FAILURES[min(known.failures, len(_AFTER_FAILURES) - 1)]
    return Known(now, known.failures + 1, now + wait)


def _as_of(known: Known, now: float) -> Known:
    """Nothing in it is further in the future than we could have meant."""
    again = None if known.again is None else min(known.again, now + _AFTER_FAILURES[-1])
    return replace(known, handled=min(known.handled, now), again=again)


def _is_due(job: Job, known: Known, now: float) -> bool:
    if isinstance(job, Errand):
        return known.again is None or known.again <= now
    return job.cron.previous(now) > known.handled or (known.again is not None and known.again <= now)
