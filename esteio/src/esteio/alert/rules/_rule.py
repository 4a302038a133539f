"""What is an alert, and what is not: definitions, and what was seen of them. Pure.

Promises: rules that name a rule that isn't there, depend on each other in a circle or share a name are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite

from esteio.errors import EsteioError

__all__ = ["ABSENT", "Condition", "Rule", "Rules", "RulesError", "Severity", "Signal"]

ABSENT = ":absent"
"""End of the name of the alert that a rule's signal has been missing."""


class Severity(StrEnum):
    """A page wakes somebody; a ticket waits for the morning."""

    PAGE = "page"
    TICKET = "ticket"


class Condition(StrEnum):
    """What a signal says. UNKNOWN is neither: no alert opens or recovers by it."""

    WELL = "well"
    BAD = "bad"
    UNKNOWN = "unknown"


class RulesError(EsteioError, ValueError):
    """Rules that can't be used: `problem` with the rule `name`."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(f"alert rule {name!r}: {problem}")


@dataclass(frozen=True, slots=True)
class Signal:
    """What was seen: a `condition`, or without one the `value` that the rule's thresholds judge. `reason` is evidence."""

    condition: Condition | None = None
    reason: str = ""
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert and its pace; all durations in seconds.

    It fires when its signal was bad for `fire_after`, and recovers when it was well for `clear_after`; where it flips, the
    shares of both count: a second of bad weighs 1/fire_after, a second of well takes 1/clear_after off. A value is bad above
    `above` and well again at `back_below`. While a rule of `depends_on`, or one that it depends on, is bad, nobody is told of
    this one; `settle` is how long it waits for them to be seen, `linger` how long it still waits after they recovered. Without
    a signal for `absent_after` its absence is an alert.
    """

    name: str
    severity: Severity
    fire_after: float = 30.0
    clear_after: float = 120.0
    above: float | None = None
    back_below: float | None = None
    depends_on: tuple[str, ...] = ()
    settle: float = 10.0
    linger: float = 0.0
    absent_after: float = 600.0

    def judge(self, signal: Signal, was_bad: bool) -> Condition:
        """What `signal` says; between the two thresholds, what it said before."""
        if signal.condition is not None:
            return signal.condition
        if self.above is None or signal.value is None or not isfinite(signal.value):
            return Condition.UNKNOWN
        if signal.value > self.above:
            return Condition.BAD
        below = self.above if self.back_below is None else self.back_below
        return Condition.BAD if was_bad and signal.value > below else Condition.WELL

    @property
    def absence(self) -> Rule | None:
        """The alert that nothing is known of this one; None where that is none."""
        if self.absent_after == inf:
            return None
        return Rule(
            self.name + ABSENT, Severity.TICKET, self.absent_after, 60.0, depends_on=(self.name,), absent_after=inf
        )


class Rules(Mapping[str, Rule]):
    """`rules` and their absences, by name; RulesError where they contradict each other."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules: dict[str, Rule] = {}
        for rule in rules:
            _check(rule)
            for each in (rule, rule.absence):
                if each is None:
                    continue
                if each.name in self._rules:
                    raise RulesError(each.name, "another one has the same name; give each its own")
                self._rules[each.name] = each
        self._ancestors = {name: tuple(self._above(name)) for name in self._rules}

    def ancestors(self, name: str) -> tuple[str, ...]:
        """All that `name` depends on, directly or not."""
        return self._ancestors[name]

    def __getitem__(self, name: str) -> Rule:
        return self._rules[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def _above(self, name: str) -> Iterator[str]:
        seen: set[str] = set()
        waiting = list(self._rules[name].depends_on)
        while waiting:
            parent = waiting.pop()
            if parent == name:
                raise RulesError(name, "it depends on itself, directly or through others")
            if parent not in self._rules:
                raise RulesError(name, f"it depends on {parent!r}, which is no rule")
            if parent not in seen:
                seen.add(parent)
                waiting.extend(self._rules[parent].depends_on)
                yield parent


def _check(rule: Rule) -> None:
    for field in ("fire_after", "clear_after", "settle", "linger", "absent_after"):
        if not getattr(rule, field) >= 0:
            raise RulesError(rule.name, f"{field}={getattr(rule, field)!r}; allowed: 0 seconds or more")
    if rule.back_below is not None and (rule.above is None or rule.back_below > rule.above):
        raise RulesError(rule.name, f"back_below={rule.back_below!r} with above={rule.above!r}; allowed: at most above")
