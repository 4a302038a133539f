"""Whether somebody has to get up.

Promises: pure. Green means a backup that was restored for trial and is young enough; everything else is red, with
each reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from esteio.backup._catalogue import Entry

__all__ = ["Status", "judge"]


@dataclass(frozen=True, slots=True)
class Status:
    """`problems` is empty when all is well; ages in seconds, None where there is nothing to have one."""

    problems: tuple[str, ...]
    newest: str | None
    newest_age: float | None
    verified: str | None
    verified_age: float | None

    @property
    def ok(self) -> bool:
        """Whether nobody has to get up."""
        return not self.problems


def judge(entries: Sequence[Entry], stores: Sequence[str], now: datetime, max_age: timedelta) -> Status:
    """The state of the backups `entries` that should be in all of `stores`, none of them older than `max_age`."""
    whole = [entry for entry in entries if entry.complete]
    proven = [entry for entry in whole if entry.verified]
    problems = [f"{entry.id} is damaged: {entry.problem}" for entry in entries if entry.problem]
    if not whole:
        problems.append("there is no backup")
    for entry in whole[-1:]:
        if entry.proof is not None and not entry.proof.ok:
            problems.append(f"{entry.id} failed its trial: {'; '.join(entry.proof.problems)}")
        if missing := sorted(set(stores) - set(entry.stores)):
            problems.append(f"{entry.id} is not in {', '.join(missing)}")
    if whole and not proven:
        problems.append("no backup was ever verified")
    for entry in proven[-1:]:
        if now - entry.began > max_age:
            problems.append(
                f"the newest verified backup, {entry.id}, is {_hours(now - entry.began)} old; "
                f"allowed: {_hours(max_age)}"
            )
        elif entry.began - now > timedelta(minutes=5):
            problems.append(f"{entry.id} was begun in the future: the clock of this machine, or of that one, is wrong")
    return Status(tuple(problems), *_age(whole, now), *_age(proven, now))


def _age(entries: Sequence[Entry], now: datetime) -> tuple[str | None, float | None]:
    if not entries:
        return None, None
    return entries[-1].id, (now - entries[-1].began).total_seconds()


def _hours(age: timedelta) -> str:
    return f"{age.total_seconds() / 3600:.1f} h"
