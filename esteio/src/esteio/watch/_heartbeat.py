"""Heartbeats in: a job says when it starts, ends and fails; what is judged is that it says nothing. Pure.

Promises: a moment of its schedule counts as missed when no success came until its grace was over. One that falls into a time
in which nobody listened here is never counted as missed: from then on the next one is judged, and until that the state is
unknown. A job that was never heard of is unknown until its first moment is over, and then down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from esteio.cron import Cron
from esteio.health.series import State
from esteio.watch._gaps import Gap

__all__ = ["Beat", "Judged", "Schedule", "Signal", "after_gap", "judge", "receive"]

_EARLY = 60.0  # seconds: the clock of who sends may be ahead of ours, and then a job ends before it was to begin
_EARLY_PART = 0.1  # of the distance to the next moment, where that is less


class Signal(StrEnum):
    """What a job says; `fail` also stands for an exit code other than 0."""

    SUCCESS = "success"
    START = "start"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Schedule:
    """By `cron`, or `every` so many seconds after the last success; late by more than `grace` seconds is down."""

    grace: float
    cron: Cron | None = None
    every: float = 0.0

    def next(self, after: float) -> float:
        """The moment that follows `after`, Unix seconds."""
        return after + self.every if self.cron is None else self.cron.next(after)

    def expected(self, success: float) -> float:
        """The moment for which a success is wanted after that of `success`, which may have come a little early."""
        if self.cron is None:
            return success + self.every
        due = self.cron.next(success)
        after = self.cron.next(due)
        return after if due - success <= min(_EARLY, _EARLY_PART * (after - due)) else due


@dataclass(frozen=True, slots=True)
class Beat:
    """What was heard; moments in Unix seconds, by the clock here."""

    since: float
    """When this watcher first knew of the job."""
    success: float | None = None
    start: float | None = None
    """Of a run that has not ended."""
    fail: float | None = None
    """Of a failure after the last success."""
    text: str = ""
    """What the job said of that failure."""
    took: float | None = None
    """Seconds from the last start to the success after it."""
    excused: float | None = None
    """Only moments after this one count: the one before fell into a time in which nobody listened."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The `state`, why, and until when (Unix seconds) it holds if nothing is heard."""

    state: State
    reason: str = ""
    until: float = float("inf")


def receive(beat: Beat, signal: Signal, at: float, text: str = "") -> Beat:
    """What a signal that came `at` makes of it."""
    if signal is Signal.START:
        return replace(beat, start=at)
    if signal is Signal.FAIL:
        return replace(beat, fail=at, start=None, text=text)
    took = at - beat.start if beat.start is not None and at >= beat.start else None
    return replace(beat, success=at, start=None, fail=None, text="", took=took, excused=None)


def after_gap(beat: Beat, schedule: Schedule, gap: Gap) -> Beat:
    """Nobody listened in `gap`; and nothing was heard in a future that a clock which was set back has taken away."""

    def known(moment: float | None) -> float | None:
        return None if moment is None else min(moment, gap.end)

    beat = replace(
        beat, since=min(beat.since, gap.end), success=known(beat.success), start=known(beat.start), fail=known(beat.fail),
        excused=known(beat.excused),
    )  # fmt: skip
    if beat.start is not None and _overlap(gap, beat.start, beat.start + schedule.grace):
        beat = replace(beat, start=None)  # it may have said in the gap that it ended
    wanted = _wanted(beat, schedule)
    return replace(beat, excused=gap.end) if _overlap(gap, wanted - _EARLY, wanted + schedule.grace) else beat


def judge(beat: Beat, schedule: Schedule, now: float) -> Judged:
    """How the job stands `now`."""
    if beat.fail is not None:
        return Judged(State.DOWN, beat.text or "it said that it failed")
    missed = _wanted(beat, schedule) + schedule.grace
    if beat.start is not None and beat.start + schedule.grace <= missed:
        missed = beat.start + schedule.grace
        if now >= missed:
            return Judged(State.DOWN, "it started and did not end in time")
    if now >= missed:
        return Judged(State.DOWN, "it was not heard of in time")
    known = missed if beat.excused is None else min(missed, _first(beat, schedule) + schedule.grace)
    if now >= known:
        return Judged(State.UNKNOWN, "it was due while nobody listened here", missed)
    if beat.success is None:
        return Judged(State.UNKNOWN, "it was not heard of yet", known)
    return Judged(State.UP, until=known)


def _first(beat: Beat, schedule: Schedule) -> float:
    return schedule.next(beat.since) if beat.success is None else schedule.expected(beat.success)


def _wanted(beat: Beat, schedule: Schedule) -> float:
    """The first moment whose success would have been heard."""
    return _first(beat, schedule) if beat.excused is None else schedule.expected(beat.excused)


def _overlap(gap: Gap, begin: float, end: float) -> bool:
    return gap.begin <= end and gap.end >= begin
