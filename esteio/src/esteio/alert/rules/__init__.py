"""When somebody is told that something is wrong, and that it is well again. Pure: time and signals come in from outside.

Promises: one notice and one recovery for one problem, however it flips and whatever depends on it; a recovery goes to exactly
those that were told. What is held back - by a silence, maintenance, quiet hours or a dependency - is measured all the same.
"""

from __future__ import annotations

from esteio.alert.rules._alert import Alert, Kind, Message
from esteio.alert.rules._evaluate import Book, Pacing, Surroundings, acknowledge, evaluate
from esteio.alert.rules._rule import ABSENT, Condition, Rule, Rules, RulesError, Severity, Signal
from esteio.alert.rules._silence import QuietHours, Silence

__all__ = [
    "ABSENT",
    "Alert",
    "Book",
    "Condition",
    "Kind",
    "Message",
    "Pacing",
    "QuietHours",
    "Rule",
    "Rules",
    "RulesError",
    "Severity",
    "Signal",
    "Silence",
    "Surroundings",
    "acknowledge",
    "evaluate",
]
