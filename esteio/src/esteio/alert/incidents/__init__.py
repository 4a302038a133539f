"""Incidents that open and close by themselves, and the time the service was up. Pure.

Promises: what requests, probes and alerts say of the same trouble is one incident, with what happened shortly before it; time
that nobody observed counts neither as up nor as down; what maintenance takes is listed and not averaged in.
"""

from __future__ import annotations

from esteio.alert.incidents._incident import CAUSES, Evidence, Incident, Sight, Source, Spacing, follow
from esteio.alert.incidents._uptime import PERIODS, Reliability, Uptime, reliability, uptime
from esteio.alert.incidents._words import CAUSE_WORDS, SOURCE_WORDS

__all__ = [
    "CAUSES",
    "CAUSE_WORDS",
    "PERIODS",
    "SOURCE_WORDS",
    "Evidence",
    "Incident",
    "Reliability",
    "Sight",
    "Source",
    "Spacing",
    "Uptime",
    "follow",
    "reliability",
    "uptime",
]
