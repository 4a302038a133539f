"""Whether somebody has to get up.

Promises: pure. Green means a backup that was restored to verify it, is young enough, and is whole in every store;
everything else is red, with each reason. What was red stays red until a good backup of the same kind was made, or a
person accepted it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from esteio.backup._catalogue import SKEW, Entry
from esteio.backup._problem import MENDABLE, WHOLE, CopyDefect, Problem, ProblemCode, silent_stores

__all__ = ["Status", "judge"]

_RHYTHM = 8  # the newest backups of a kind, whose distances tell how often it is made
_LATE = 2  # times the usual distance after which a kind that is made less often than `max_age` has stopped


@dataclass(frozen=True, slots=True)
class Status:
    """`problems` is empty when all is well; ages in seconds, None where there is nothing to have one."""

    problems: tuple[Problem, ...]
    newest: str | None = None
    newest_age: float | None = None
    verified: str | None = None
    verified_age: float | None = None

    @property
    def ok(self) -> bool:
        """Whether nobody has to get up."""
        return not self.problems

    @property
    def exit_code(self) -> int:
        """As Nagios has it: 0 all is well, 1 something has to be mended, 2 data may be lost or nothing is known."""
        if self.ok:
            return 0
        return 1 if self.verified and all(problem.code in MENDABLE for problem in self.problems) else 2


def judge(
    entries: Sequence[Entry], silent: Mapping[str, Exception], now: datetime, max_age: timedelta, *, blind: bool = False
) -> Status:
    """The state of the backups `entries`; the newest verified one is at most `max_age` old.

    `silent` are the stores that could not be asked, `blind` says that none could: then nothing is known of backups.
    """
    problems = list(silent_stores(silent))
    if blind:
        return Status(tuple(problems))
    complete = [entry for entry in entries if entry.complete]
    # One that a wrong clock dated into the future would otherwise stand in for all that follow.
    whole = [entry for entry in complete if entry.began - now <= SKEW]
    proven = [entry for entry in whole if entry.verified]
    problems += [entry.problem for entry in entries if entry.problem]
    problems += _unreadable(entries)
    if not complete:
        problems.append(Problem.of(ProblemCode.NO_BACKUP))
    problems += [Problem.of(ProblemCode.IN_THE_FUTURE, backup=entry.id) for entry in complete if entry not in whole]
    kinds = [[entry for entry in whole if _is_dump(entry) == dump] for dump in (True, False)]
    newest = [kind[-1] for kind in kinds if kind]
    for entry in whole:
        problems += [defect.problem for defect in entry.defects if _counts(defect, entry, newest=entry in newest)]
    for kind in kinds:
        problems += _since_a_good_one(kind)
    problems += _leaps(whole)
    if complete and not proven:
        problems.append(Problem.of(ProblemCode.NEVER_VERIFIED))
    for entry in proven[-1:]:
        if now - entry.began > max_age:
            age, allowed = _hours(now - entry.began), _hours(max_age)
            problems.append(Problem.of(ProblemCode.TOO_OLD, backup=entry.id, age=age, allowed=allowed))
        else:
            problems += [problem for kind in kinds for problem in _stopped(kind, now, max_age)]
    return Status(tuple(problems), *_age(whole, now), *_age(proven, now))


def _unreadable(entries: Sequence[Entry]) -> Iterator[Problem]:
    """Nobody knows what such a backup needs, so nothing that it may need is removed; the disk fills meanwhile."""
    for entry in entries:
        if entry.problem and not entry.complete:
            yield Problem.of(ProblemCode.PRUNE_HALTED, backup=entry.id)


def _since_a_good_one(kind: Sequence[Entry]) -> Iterator[Problem]:
    """What is wrong with the newest backups of one kind, those made after the last that can be counted on.

    Of each kind of problem the last is told: whoever accepts that one has seen those before it.
    """
    good = max((number for number, entry in enumerate(kind) if entry.verified), default=-1)
    found: dict[ProblemCode, tuple[Entry, Problem]] = {}
    for entry in kind[good + 1 :]:
        about = entry.manifest.details.get("documents", {}) if entry.manifest else {}
        if before := about.get("gone"):
            vanished = ProblemCode.DOCUMENTS_VANISHED
            problem = Problem.of(vanished, backup=entry.id, found=about.get("files", 0), before=before)
            found[vanished] = entry, problem
        said = 1 if before else 0  # the verification says of vanished documents too
        if entry.verification and len(entry.verification.problems) > said:
            failed = Problem.of(ProblemCode.VERIFICATION_FAILED, backup=entry.id, reason=entry.verification.problems)
            found[ProblemCode.VERIFICATION_FAILED] = entry, failed
    for code, (entry, problem) in found.items():
        if not entry.accepts(code):
            yield problem


def _leaps(whole: Sequence[Entry]) -> Iterator[Problem]:
    for entry in whole:
        found = entry.manifest.details.get("leap") if entry.manifest else None
        if found and not entry.accepts(ProblemCode.CLOCK_LEAPT):
            yield Problem.of(ProblemCode.CLOCK_LEAPT, backup=entry.id, days=found["days"])


def _stopped(kind: Sequence[Entry], now: datetime, max_age: timedelta) -> Iterator[Problem]:
    """Whether the one kind is not made any more while the other is: a base has no dump's use, and a dump no base's.

    How often it was made is seen from the newest ones: a base a week is none too few. One alone has no rhythm.
    """
    proven = [entry for entry in kind if entry.verified][-_RHYTHM:]
    if len(proven) < 2 or proven[-1].accepts(ProblemCode.KIND_TOO_OLD):
        return
    distances = ((later.began - earlier.began).total_seconds() for earlier, later in pairwise(proven))
    usual = timedelta(seconds=median(distances))
    allowed = max_age if usual <= max_age else usual * _LATE
    if now - proven[-1].began > allowed:
        name = "dump" if _is_dump(proven[-1]) else "base"
        age = _hours(now - proven[-1].began)
        yield Problem.of(ProblemCode.KIND_TOO_OLD, kind=name, backup=proven[-1].id, age=age, allowed=_hours(allowed))


def _counts(defect: CopyDefect, entry: Entry, *, newest: bool) -> bool:
    """A store may have been added later, so an older backup may be absent from it, but not damaged in it."""
    if defect.file == WHOLE:
        return newest
    everywhere = entry.problem.fields.get("files", ()) if entry.problem else ()  # said already, once for all stores
    return not (isinstance(everywhere, tuple) and defect.file in everywhere)


def _is_dump(entry: Entry) -> bool:
    """Whether it is of one database; one of the whole cluster stands in for it as little as it does for that."""
    return entry.manifest is not None and entry.manifest.kind == "dump"


def _age(entries: Sequence[Entry], now: datetime) -> tuple[str | None, float | None]:
    if not entries:
        return None, None
    return entries[-1].id, (now - entries[-1].began).total_seconds()


def _hours(age: timedelta) -> float:
    return age.total_seconds() / 3600
