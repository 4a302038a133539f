"""One problem that flips a hundred times, and one dead parent with two hundred dependents: a notice and a recovery each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from esteio.alert.rules import Book, Condition, Pacing, Rule, Rules, Severity, Signal, Surroundings, evaluate

_STEP = 2.0  # seconds between rounds, as the monitor's
_START = 1_800_000_000.0
_BAD, _WELL = Signal(Condition.BAD), Signal(Condition.WELL)
# Repeats and escalation are other notices than these, and wanted.
_ONCE = Pacing(escalate_after=inf, repeat_every=inf)


def _page(name: str, *parents: str) -> Rule:
    return Rule(name, Severity.PAGE, 10.0, 60.0, depends_on=parents, absent_after=inf)


def _messages(rules: Rules, bad: Callable[[float], Mapping[str, Signal]], seconds: float) -> int:
    book, said, at = Book(), 0, 0.0
    while at < seconds:
        signals = dict.fromkeys(rules, _WELL) | dict(bad(at))
        book, messages = evaluate(book, rules, signals, _START + at, at, Surroundings(("a",)), _ONCE)
        said += len(messages)
        at += _STEP
    return said


def flips(count: int = 100, bad: float = 20.0, well: float = 20.0) -> int:
    """Messages of one problem that is `bad` and `well` for as many seconds, `count` times."""
    period = bad + well

    def seen(at: float) -> Mapping[str, Signal]:
        return {"db": _BAD} if at < count * period and at % period < bad else {}

    return _messages(Rules([_page("db")]), seen, count * period + 7200)


def dependents(count: int = 200) -> int:
    """Messages of one parent that is down for five minutes; its dependents are seen first, and come back 45 s after it."""
    children = [f"child{number}" for number in range(count)]
    rules = Rules([_page("parent"), *(_page(name, "parent") for name in children)])

    def seen(at: float) -> Mapping[str, Signal]:
        found = dict.fromkeys(children, _BAD) if 100 <= at < 450 else {}
        return found | ({"parent": _BAD} if 105 <= at < 405 else {})

    return _messages(rules, seen, 2000)
