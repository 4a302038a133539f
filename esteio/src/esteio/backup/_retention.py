"""Which backups are kept, and why.

Promises: pure - times come in, decisions come out, each with its reason. The newest `verified` proven backups are
never removed, and while there are fewer than that, nothing is. What a kept backup needs is kept as well. A backup
that lies in the future of this clock is kept: one of the two is wrong, and it is not for us to say which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

__all__ = ["Decision", "Held", "Retention", "decide"]


@dataclass(frozen=True, slots=True)
class Retention:
    """Keep what is younger than `days`, and the newest backup of each of the last so many days, weeks, months and years.

    Counts of 0 ask for nothing; `verified` is the number of proven backups below which nothing is removed.
    """

    days: int = 30
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    verified: int = 2

    def __post_init__(self) -> None:
        for field in fields(self):
            low = 1 if field.name in ("days", "verified") else 0
            value = getattr(self, field.name)
            if not low <= value <= 36500:
                msg = f"Retention: {field.name} is {value}; allowed: {low} to 36500"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Held:
    """A folder as far as retention goes: `needs` names the backups it cannot be restored without."""

    id: str
    began: datetime
    complete: bool = True
    verified: bool = False
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a folder."""

    id: str
    keep: bool
    reason: str


_GRACE = timedelta(days=1)  # an unfinished folder may be somebody's work
_PERIODS: tuple[tuple[str, str, Callable[[datetime], object]], ...] = (
    ("daily", "day", lambda at: at.date()),
    ("weekly", "week", lambda at: at.isocalendar()[:2]),
    ("monthly", "month", lambda at: (at.year, at.month)),
    ("yearly", "year", lambda at: at.year),
)


def decide(held: Sequence[Held], retention: Retention, now: datetime) -> list[Decision]:
    """One decision for each folder, the oldest first. `now` and all times have a timezone."""
    ordered = sorted(held, key=lambda each: (each.began, each.id))
    whole = [each for each in ordered if each.complete]
    reasons = _reasons(whole, retention, now)
    _keep_needed(whole, reasons)
    proven = sum(each.verified for each in whole)
    decisions = []
    for each in ordered:
        if not each.complete:
            decisions.append(_unfinished(each, now))
        elif reason := reasons.get(each.id):
            decisions.append(Decision(each.id, True, reason))
        elif proven < retention.verified:
            decisions.append(Decision(each.id, True, f"only {proven} of {retention.verified} verified backups exist"))
        else:
            decisions.append(Decision(each.id, False, f"older than {retention.days} days"))
    return decisions


def _reasons(whole: Sequence[Held], retention: Retention, now: datetime) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for each in whole:
        if each.began > now:
            reasons[each.id] = "begun in the future of this clock"
        elif now - each.began <= timedelta(days=retention.days):
            reasons[each.id] = f"younger than {retention.days} days"
    if whole:
        reasons.setdefault(whole[-1].id, "the newest")
    for each in [each for each in whole if each.verified][-retention.verified :]:
        reasons.setdefault(each.id, f"one of the newest {retention.verified} verified")
    for name, period, of in _PERIODS:
        newest = {of(each.began): each for each in whole}  # later ones replace earlier ones
        for each in list(newest.values())[-count:] if (count := getattr(retention, name)) else []:
            reasons.setdefault(each.id, f"the newest of its {period}")
    return reasons


def _keep_needed(whole: Sequence[Held], reasons: dict[str, str]) -> None:
    for each in reversed(whole):  # what is needed is older than what needs it
        if each.id in reasons:
            for needed in each.needs:
                reasons.setdefault(needed, f"needed by {each.id}")


def _unfinished(each: Held, now: datetime) -> Decision:
    if abs(now - each.began) <= _GRACE:
        return Decision(each.id, True, "unfinished, but less than a day old")
    return Decision(each.id, False, "unfinished, and more than a day old")
