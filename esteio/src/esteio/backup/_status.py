"""Whether somebody has to get up.

Promises: pure. Green means a backup that was restored for trial, is young enough, and is whole in every store;
everything else is red, with each reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from esteio.backup._catalogue import Entry
from esteio.backup._flaws import WHOLE, Flaw
from esteio.backup._problem import Problem, Trouble, silent_stores

__all__ = ["Status", "judge"]

_SKEW = timedelta(minutes=5)  # by which clocks may differ


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


def judge(
    entries: Sequence[Entry], silent: Mapping[str, Exception], now: datetime, max_age: timedelta, *, blind: bool = False
) -> Status:
    """The state of the backups `entries`; the newest verified one is at most `max_age` old.

    `silent` are the stores that could not be asked, `blind` says that none could: then nothing is known of backups.
    """
    problems = list(silent_stores(silent))
    if blind:
        return Status(tuple(problems))
    whole = [entry for entry in entries if entry.complete]
    proven = [entry for entry in whole if entry.verified]
    problems += [entry.problem for entry in entries if entry.problem]
    if not whole:
        problems.append(Problem.of(Trouble.NO_BACKUP))
    newest = _newest_of_each_kind(whole)
    for entry in whole:
        if entry in newest and entry.proof is not None and not entry.proof.ok:
            problems.append(Problem.of(Trouble.TRIAL_FAILED, backup=entry.id, reason=entry.proof.problems))
        problems += [flaw.problem for flaw in entry.flaws if _counts(flaw, entry, newest=entry in newest)]
    if whole and not proven:
        problems.append(Problem.of(Trouble.NEVER_PROVEN))
    for entry in proven[-1:]:
        age, allowed = _hours(now - entry.began), _hours(max_age)
        if now - entry.began > max_age:
            problems.append(Problem.of(Trouble.TOO_OLD, backup=entry.id, age=age, allowed=allowed))
        elif entry.began - now > _SKEW:
            problems.append(Problem.of(Trouble.IN_THE_FUTURE, backup=entry.id))
    return Status(tuple(problems), *_age(whole, now), *_age(proven, now))


def _counts(flaw: Flaw, entry: Entry, *, newest: bool) -> bool:
    """A store may have been added later, so an older backup may be absent from it, but not damaged in it."""
    if flaw.file == WHOLE:
        return newest
    everywhere = entry.problem.fields.get("files", ()) if entry.problem else ()  # said already, once for all stores
    return not (isinstance(everywhere, tuple) and flaw.file in everywhere)


def _newest_of_each_kind(whole: Sequence[Entry]) -> list[Entry]:
    """The newest dump and the newest of the whole cluster: neither stands in for the other."""
    newest = {entry.manifest is not None and entry.manifest.kind == "dump": entry for entry in whole}
    return list(newest.values())


def _age(entries: Sequence[Entry], now: datetime) -> tuple[str | None, float | None]:
    if not entries:
        return None, None
    return entries[-1].id, (now - entries[-1].began).total_seconds()


def _hours(age: timedelta) -> float:
    return age.total_seconds() / 3600
