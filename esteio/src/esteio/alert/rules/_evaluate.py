"""One round: signals in, the next state and what is to be told out. Pure.

Promises: the same state, signals and moment give the same answer. After a gap - the first round of a process, one that comes
too late, a clock that leapt - the round only measures: no time is counted, nothing opens and nothing recovers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from esteio.alert.rules._alert import Alert, Kind, Message
from esteio.alert.rules._rule import ABSENT, Condition, Rule, Rules, Severity, Signal
from esteio.alert.rules._silence import QuietHours, Silence

__all__ = ["Book", "Pacing", "Surroundings", "acknowledge", "evaluate"]

_DAY = 86_400.0
_MOST_OPENINGS = 16
_NEARLY = 1e-9  # sums of parts of 1 are off by less
_UNSEEN = Signal(Condition.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Pacing:
    """Durations of all rules together, in seconds.

    Rounds more than `gap` apart, or a clock that leapt by as much, are a gap. An alert that fires again within a day has to be
    well for twice as long each time, up to `longest_clear`. A page that nobody acknowledged is escalated once, after
    `escalate_after`, and repeated every `repeat_every`.
    """

    gap: float = 60.0
    longest_clear: float = 3600.0
    escalate_after: float = 900.0
    repeat_every: float = 4 * 3600.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Who can be told, and what keeps them from being told: `channels` and `escalation` are keys of channels."""

    channels: tuple[str, ...] = ()
    escalation: tuple[str, ...] = ()
    silences: tuple[Silence, ...] = ()
    maintenance: bool = False
    quiet: QuietHours | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """All alerts by name, and when the last round was: by the clock (Unix seconds) and by a monotonic one of this process."""

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    at: float | None = None
    ticked: float | None = None

    def firing(self) -> list[Alert]:
        """The alerts that fire, the oldest first."""
        return sorted((a for a in self.alerts.values() if a.firing), key=lambda a: (a.firing_since or 0.0, a.name))


def evaluate(
    book: Book, rules: Rules, signals: Mapping[str, Signal], now: float, ticked: float, around: Surroundings,
    pacing: Pacing = Pacing(),
) -> tuple[Book, list[Message]]:  # fmt: skip
    """The state after the round at `now`, Unix seconds, and `ticked`, monotonic seconds; and what is to be told."""
    passed = _passed(book, now, ticked, pacing)
    seen = {name: _condition(rules, name, signals, book) for name in rules}
    alerts: dict[str, Alert] = {}
    ended: list[Alert] = [each for name, each in book.alerts.items() if name not in rules and each.told is not None]
    for name, rule in rules.items():
        before = book.alerts.get(name, Alert(name))
        alert = _measured(before, rule, seen[name], _reason(signals, name), now, passed, pacing)
        if before.firing and not alert.firing and before.told is not None:
            ended.append(before)
        alerts[name] = alert
    messages = _grouped(Kind.RECOVERED, ended, rules, now)
    if passed is not None:
        alerts, opened = _told(alerts, rules, seen, now, around, pacing)
        messages += opened
    return Book(alerts, now, ticked), messages


def acknowledge(book: Book, name: str, by: str) -> Book:
    """Somebody looks after the alert `name` until it recovers; KeyError when it doesn't fire."""
    if not by or not (alert := book.alerts[name]).firing:
        raise KeyError(name)
    return replace(book, alerts={**book.alerts, name: replace(alert, acknowledged=by)})


def _passed(book: Book, now: float, ticked: float, pacing: Pacing) -> float | None:
    """Seconds since the last round; None after a gap."""
    if book.at is None or book.ticked is None:
        return None
    passed = ticked - book.ticked
    # A suspended machine stops the monotonic clock on some systems, and somebody may set the other one: both have to agree.
    if not 0 <= passed <= pacing.gap or abs((now - book.at) - passed) > pacing.gap:
        return None
    return passed


def _condition(rules: Rules, name: str, signals: Mapping[str, Signal], book: Book) -> Condition:
    before = book.alerts.get(name)
    condition = rules[name].judge(signals.get(name, _UNSEEN), before is not None and before.bad)
    base = name.removesuffix(ABSENT)
    if base == name or base not in rules:
        return condition
    known = _condition(rules, base, signals, book) is not Condition.UNKNOWN
    return Condition.WELL if known else Condition.BAD


def _reason(signals: Mapping[str, Signal], name: str) -> str:
    return signals.get(name, _UNSEEN).reason


def _measured(
    alert: Alert, rule: Rule, seen: Condition, reason: str, now: float, passed: float | None, pacing: Pacing
) -> Alert:
    """What the signal makes of it; nobody is told here."""
    if passed is None:
        return alert
    if alert.firing:
        alert = replace(alert, firing_for=alert.firing_for + passed, repeated_for=alert.repeated_for + passed)
    elif alert.cleared_for is not None:
        alert = replace(alert, cleared_for=alert.cleared_for + passed)
    if seen is Condition.UNKNOWN:
        return alert
    # Where it changed, nobody knows when between the two rounds it did: half of the time counts (the trapezoidal rule).
    bad = seen is Condition.BAD
    weight = passed if bad is alert.bad else passed / 2
    if bad:
        level = min(1.0, alert.level + (weight / rule.fire_after if rule.fire_after else 1.0))
        since = alert.bad_since if alert.bad_since is not None else now
        alert = replace(alert, level=level, bad=True, bad_since=since, reason=reason or alert.reason)
        return _fire(alert, now) if level >= 1 - _NEARLY and not alert.firing else alert
    need = _clear_after(alert, rule, now, pacing)
    level = max(0.0, alert.level - (weight / need if need else 1.0))
    if level > _NEARLY:
        return replace(alert, level=level, bad=False)
    cleared_for = 0.0 if alert.firing else alert.cleared_for
    return Alert(alert.name, openings=_recent(alert.openings, now), cleared_for=cleared_for)


def _fire(alert: Alert, now: float) -> Alert:
    openings = (*_recent(alert.openings, now), now)[-_MOST_OPENINGS:]
    return replace(alert, level=1.0, firing_since=now, firing_for=0.0, cleared_for=None, openings=openings)


def _recent(openings: Iterable[float], now: float) -> tuple[float, ...]:
    return tuple(at for at in openings if now - at < _DAY)


def _clear_after(alert: Alert, rule: Rule, now: float, pacing: Pacing) -> float:
    """Longer with each time it fired in the last day: what flips slowly would be told each time."""
    again = max(0, len(_recent(alert.openings, now)) - 1) if alert.firing else 0
    return max(rule.clear_after, min(rule.clear_after * 2.0**again, pacing.longest_clear))


def _told(
    alerts: Mapping[str, Alert], rules: Rules, seen: Mapping[str, Condition], now: float, around: Surroundings,
    pacing: Pacing,
) -> tuple[dict[str, Alert], list[Message]]:  # fmt: skip
    """Whom to tell that something opened, is still so, or that nobody looks after it."""
    after = dict(alerts)
    due: dict[Kind, list[Alert]] = {Kind.OPENED: [], Kind.ESCALATED: [], Kind.REPEATED: []}
    for name, alert in alerts.items():
        if not alert.firing:
            continue
        held = _held(alert, rules, alerts, seen, now, around)
        kind = None if held else _due(alert, rules[name], pacing)
        if kind is None:
            after[name] = replace(alert, held=held)
            continue
        told = tuple(dict.fromkeys((*(alert.told or ()), *_keys(kind, around))))
        escalated = alert.escalated or kind is Kind.ESCALATED
        told_at = now if alert.told_at is None else alert.told_at
        after[name] = replace(alert, told=told, told_at=told_at, repeated_for=0.0, escalated=escalated, held="")
        due[kind].append(after[name])
    return after, [
        message for kind, group in due.items() for message in _grouped(kind, group, rules, now, _keys(kind, around))
    ]


def _keys(kind: Kind, around: Surroundings) -> tuple[str, ...]:
    if kind is Kind.ESCALATED:
        return tuple(dict.fromkeys((*around.channels, *around.escalation)))
    return around.channels


def _due(alert: Alert, rule: Rule, pacing: Pacing) -> Kind | None:
    if alert.told is None:
        return Kind.OPENED if alert.bad else None  # what was held back and is about to recover is no news
    if rule.severity is not Severity.PAGE or alert.acknowledged:
        return None
    if not alert.escalated and alert.repeated_for >= pacing.escalate_after:
        return Kind.ESCALATED
    return Kind.REPEATED if alert.repeated_for >= pacing.repeat_every else None


def _held(
    alert: Alert, rules: Rules, alerts: Mapping[str, Alert], seen: Mapping[str, Condition], now: float,
    around: Surroundings,
) -> str:  # fmt: skip
    """Why nobody is told now; "" where nothing is in the way."""
    rule, above = rules[alert.name], rules.ancestors(alert.name)
    if around.maintenance:
        return "maintenance"
    if any(silence.covers(alert.name, now) for silence in around.silences):
        return "silenced"
    # A parent that is bad but doesn't fire yet counts: its children are often seen first.
    if any(_explains(alerts[parent], seen[parent], rule) for parent in above):
        return "inhibited"
    if above and alert.told is None and alert.firing_for < rule.settle:
        return "settling"
    if rule.severity is Severity.TICKET and alert.told is None and around.quiet is not None and around.quiet(now):
        return "quiet"
    return ""


def _explains(parent: Alert, seen: Condition, rule: Rule) -> bool:
    cleared = parent.cleared_for
    return parent.firing or seen is Condition.BAD or (cleared is not None and cleared < rule.linger)


def _grouped(
    kind: Kind, alerts: Iterable[Alert], rules: Rules, now: float, keys: tuple[str, ...] | None = None
) -> list[Message]:
    """One message for all of the same severity and the same channels; without `keys`, those that were told."""
    groups: dict[tuple[Severity, tuple[str, ...]], list[Alert]] = {}
    for alert in alerts:
        rule = rules.get(alert.name)
        severity = rule.severity if rule is not None else Severity.TICKET
        groups.setdefault((severity, (alert.told or ()) if keys is None else keys), []).append(alert)
    return [Message(kind, severity, tuple(group), to, now) for (severity, to), group in groups.items()]
