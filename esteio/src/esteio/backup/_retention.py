"""Which backups are kept, and why.

Promises: pure - times come in, decisions come out, each with its reason. The newest `verified` proven backups are
never removed, and while there are fewer than that, nothing is. What a kept backup needs is kept as well. A backup
that lies in the future of this clock is kept and stands in for no other: one of the two is wrong, and it is not for us
to say which. Where the clock may have leapt ahead, nothing from before the leap is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import Enum

__all__ = ["GRACE", "LEAP", "Decision", "Held", "Retention", "Why", "decide", "doubtful_until", "leap"]


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
    """A folder as far as retention goes: `needs` names the backups it cannot be restored without.

    `leapt`: it was begun so long after the one before that the clock may have been wrong, and nobody said that it was not.
    """

    id: str
    began: datetime
    complete: bool = True
    verified: bool = False
    needs: tuple[str, ...] = ()
    pinned: bool = False
    leapt: bool = False


class Why(Enum):
    """Every reason, as a sentence with `{about}` in it where it is about something."""

    YOUNG = "younger than {about} days"
    OLD = "older than {about} days"
    NEWEST = "the newest"
    VERIFIED = "one of the newest {about} verified"
    PERIOD_DAY = "the newest of its day"
    PERIOD_WEEK = "the newest of its week"
    PERIOD_MONTH = "the newest of its month"
    PERIOD_YEAR = "the newest of its year"
    NEEDED = "needed by {about}"
    PINNED = "somebody said `backup keep`"
    FUTURE = "begun in the future of this clock"
    LEAP = "the clock may have leapt ahead after it"
    TOO_FEW = "only {about} verified backups exist"
    UNFINISHED = "unfinished, but less than a day old"
    ABANDONED = "unfinished, and nobody is at work on it"
    UNREADABLE = "cannot be read: {about}"
    ASKED = "a person said so"
    HELD = "it may go, but a store keeps it: {about}"
    HALTED = "what {about} needs of it is not known"
    LOG = "{about} segments of log, older than any base backup needs"
    DOCUMENTS = "{about} documents that no backup needs any more"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a folder, and why."""

    id: str
    keep: bool
    why: Why
    about: str = ""

    @property
    def reason(self) -> str:
        """The sentence."""
        return self.why.value.format(about=self.about)


GRACE = timedelta(days=1)
"""How long what is unfinished may be somebody's work, where no lease says that it is nobody's."""
LEAP = timedelta(days=90)
"""A longer time without any backup is taken for a clock that leapt ahead: it would make every backup look old at once."""
_PERIODS: tuple[tuple[str, Why, Callable[[datetime], object]], ...] = (
    ("daily", Why.PERIOD_DAY, lambda at: at.date()),
    ("weekly", Why.PERIOD_WEEK, lambda at: at.isocalendar()[:2]),
    ("monthly", Why.PERIOD_MONTH, lambda at: (at.year, at.month)),
    ("yearly", Why.PERIOD_YEAR, lambda at: at.year),
)
_Reasons = dict[str, tuple[Why, str]]


def leap(began: Sequence[datetime], now: datetime) -> timedelta | None:
    """How long before `now` the last of the backups `began`, if that is longer than `LEAP`; None when it is not."""
    past = [each for each in began if each <= now]
    return now - max(past) if past and now - max(past) > LEAP else None


def doubtful_until(held: Sequence[Held], now: datetime) -> datetime | None:
    """The newest moment before which nothing may be removed, since the clock may have leapt after it; None: it did not."""
    past = [each for each in held if each.complete and each.began <= now]
    if leap([each.began for each in past], now):
        return now
    return max((each.began for each in past if each.leapt), default=None)


def decide(
    held: Sequence[Held],
    retention: Retention,
    now: datetime,
    *,
    doubtful: datetime | None = None,
    alone: bool = False,
) -> list[Decision]:
    """One decision for each folder, the oldest first. `now` and all times have a timezone.

    What was begun until `doubtful` is kept (see `doubtful_until`). If we are `alone`, nobody can be at work on what is
    unfinished; else it is kept for a day.
    """
    ordered = sorted(held, key=lambda each: (each.began, each.id))
    whole = [each for each in ordered if each.complete]
    reasons = _reasons(whole, retention, now, doubtful)
    _keep_needed(whole, reasons)
    proven = sum(each.verified for each in whole if each.began <= now)
    decisions = []
    for each in ordered:
        if not each.complete:
            recent = abs(now - each.began) <= GRACE or (doubtful is not None and each.began <= doubtful)
            recent = recent and not alone
            decisions.append(Decision(each.id, recent, Why.UNFINISHED if recent else Why.ABANDONED))
        elif each.id in reasons:
            decisions.append(Decision(each.id, True, *reasons[each.id]))
        elif proven < retention.verified:
            decisions.append(Decision(each.id, True, Why.TOO_FEW, f"{proven}/{retention.verified}"))
        else:
            decisions.append(Decision(each.id, False, Why.OLD, str(retention.days)))
    return decisions


def _reasons(whole: Sequence[Held], retention: Retention, now: datetime, doubtful: datetime | None) -> _Reasons:
    reasons: _Reasons = {}
    for each in whole:
        if each.began > now:
            reasons[each.id] = Why.FUTURE, ""
        elif now - each.began <= timedelta(days=retention.days):
            reasons[each.id] = Why.YOUNG, str(retention.days)
        elif each.pinned:
            reasons[each.id] = Why.PINNED, ""
        elif doubtful is not None and each.began <= doubtful:
            reasons[each.id] = Why.LEAP, ""
    past = [each for each in whole if each.began <= now]
    if past:
        reasons.setdefault(past[-1].id, (Why.NEWEST, ""))
    for each in [each for each in past if each.verified][-retention.verified :]:
        reasons.setdefault(each.id, (Why.VERIFIED, str(retention.verified)))
    for name, why, of in _PERIODS:
        newest = {of(each.began): each for each in past}  # later ones replace earlier ones
        for each in list(newest.values())[-count:] if (count := getattr(retention, name)) else []:
            reasons.setdefault(each.id, (why, ""))
    return reasons


def _keep_needed(whole: Sequence[Held], reasons: _Reasons) -> None:
    for each in reversed(whole):  # what is needed is older than what needs it
        if each.id in reasons:
            for needed in each.needs:
                reasons.setdefault(needed, (Why.NEEDED, each.id))
