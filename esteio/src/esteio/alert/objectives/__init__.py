"""Objectives: how much may fail, how much of that is used up, and how fast. Pure.

Promises: a burn is one only where few requests can't have looked like it by chance; where there are no requests, the probes
decide; what nobody measured is neither good nor bad.
"""

from __future__ import annotations

from esteio.alert.objectives._bound import lower_bound, tail
from esteio.alert.objectives._burn import (
    AVAILABILITY,
    LATENCY,
    WINDOWS,
    Budget,
    Burn,
    Objective,
    Window,
    budget,
    burn_rules,
    burn_signals,
    burns,
)
from esteio.alert.objectives._ledger import Ledger, Minute, Sums, Tally

__all__ = [
    "AVAILABILITY",
    "LATENCY",
    "WINDOWS",
    "Budget",
    "Burn",
    "Ledger",
    "Minute",
    "Objective",
    "Sums",
    "Tally",
    "Window",
    "budget",
    "burn_rules",
    "burn_signals",
    "burns",
    "lower_bound",
    "tail",
]
