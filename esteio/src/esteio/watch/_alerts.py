"""What is told of what is seen: a rule for each probe, job and watcher, on `esteio.alert.monitor`.

Promises: a state is confirmed before it is a signal, so nothing is waited for twice, also after a start. What another watcher
tells is not told here, unless that watcher is gone; what is in maintenance is not told, unless it recovers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from esteio.alert.monitor import Definition, View
from esteio.alert.rules import Condition, Rule, Severity, Signal, Silence
from esteio.health import Report, Result, Status
from esteio.health.series import State
from esteio.watch._sight import ISOLATED, Sight, Subject
from esteio.watch._words import WatchWords

__all__ = ["definitions", "report_of", "silences_of"]

_INF = float("inf")
_DEGRADED_AFTER, _DEGRADED_CLEAR = 300.0, 600.0
_ISOLATED_AFTER = 60.0
_UNHEARD = 2 * 3600.0  # seconds without a judgement of a job, until that is a ticket
_MARGIN = 10.0  # seconds that a question among watchers and a round of the alerts may take
_STATUS = {
    State.UP: Status.PASS, State.DEGRADED: Status.WARN, State.DOWN: Status.FAIL, State.UNKNOWN: Status.UNKNOWN,
}  # fmt: skip
_BAD, _WELL, _UNKNOWN = Condition.BAD, Condition.WELL, Condition.UNKNOWN


def definitions(subjects: Iterable[Subject], words: WatchWords, clear: float) -> list[Definition]:
    """The alerts of all that is watched, and that this watcher is isolated; well for `clear` seconds is told."""
    by_name = {subject.name: subject for subject in subjects}
    found = [
        Definition(
            Rule(ISOLATED, Severity.TICKET, _ISOLATED_AFTER, clear, absent_after=_INF), words.isolated, "", _isolated
        )
    ]
    for subject in by_name.values():
        found.append(_down(subject, by_name, words, clear))
        if subject.kind != "heartbeat":
            rule = Rule(
                f"{subject.name}:degraded", Severity.TICKET, _DEGRADED_AFTER, _DEGRADED_CLEAR, depends_on=(subject.name,),
                absent_after=_INF,
            )  # fmt: skip
            see = _seeing(subject.name, {Status.WARN: _BAD, Status.PASS: _WELL})
            found.append(Definition(rule, words.degraded.format(title=subject.title), "", see))
    return found


def _down(subject: Subject, by_name: Mapping[str, Subject], words: WatchWords, clear: float) -> Definition:
    parents = [by_name[name] for name in subject.depends_on]
    # A parent is looked at as soon as its child fails; it needs the time of its own confirmation.
    settle = max((parent.confirmed_after for parent in parents), default=0.0) + _MARGIN
    rule = Rule(
        subject.name, subject.severity, 0.0, clear, depends_on=subject.depends_on, settle=settle if parents else 0.0,
        linger=subject.interval + _MARGIN if parents else 0.0,
        absent_after=_UNHEARD if subject.kind == "heartbeat" else _INF,
    )  # fmt: skip
    see = _seeing(subject.name, {Status.FAIL: _BAD, Status.WARN: _WELL, Status.PASS: _WELL})
    title = {"heartbeat": words.missing, "watcher": words.silent}.get(subject.kind, words.down)
    return Definition(rule, title.format(title=subject.title), "", see)


def _seeing(name: str, conditions: Mapping[Status, Condition]) -> Callable[[View], Signal]:
    def see(view: View) -> Signal:
        result = view.results.get(name)
        if result is None:
            return Signal(_UNKNOWN)
        return Signal(conditions.get(result.status, _UNKNOWN), result.reason)

    return see


def _isolated(view: View) -> Signal:
    result = view.results.get(ISOLATED)
    if result is None:
        return Signal(_UNKNOWN)
    return Signal(_BAD if result.status is Status.FAIL else _WELL, result.reason)


def report_of(sight: Sight, pages: frozenset[str]) -> tuple[Report, float]:
    """What is seen, as a report of checks and its moment; it fails where one of `pages` is down outside of maintenance."""
    results = {
        name: Result(_STATUS[seen.state], seen.observed, seen.unit, sight.at, seen.reason)
        for name, seen in sight.seen.items()
    }
    isolated = Status.FAIL if sight.isolated else Status.PASS
    results[ISOLATED] = Result(isolated, None, "", sight.at, "it reaches neither most other watchers nor its anchors")
    down = any(seen.shown is State.DOWN and name in pages for name, seen in sight.seen.items())
    return Report(Status.FAIL if down else Status.PASS, results), sight.at


def silences_of(sight: Sight) -> tuple[Silence, ...]:
    """What nobody is told of here: announced work, and what another watcher tells."""
    until = sight.at + 3600.0  # made anew in each round
    held = {name: seen.maintenance for name, seen in sight.seen.items() if seen.maintenance is not None}
    names = {**dict.fromkeys(sight.told_by, until), **held}
    return tuple(Silence(each, until) for name, until in names.items() for each in (name, f"{name}:degraded"))
