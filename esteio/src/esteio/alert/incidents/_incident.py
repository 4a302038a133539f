"""One trouble of the service, from the first sign to the last. Pure.

Promises: at most one incident is open. Its cause is a code of `CAUSES`, or the name of the alert that no other one explains:
what was seen from shortly before it began on, the likeliest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

__all__ = ["CAUSES", "Evidence", "Incident", "Sight", "Source", "Spacing", "follow"]

CAUSES = ("disk-full", "deploy", "settings", "process-died", "database-shutdown", "circuit-open", "boot")
"""Codes of what can be the cause, the likeliest first, where several were seen."""
UNKNOWN = "unknown"
_MOST_EVIDENCE = 50


class Source(StrEnum):
    """Who says that it is bad."""

    PROBE = "probe"
    REQUESTS = "requests"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that happened `at`, Unix seconds: its `code`, one of `CAUSES` or an alert's name, and what else is known."""

    at: float
    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """Moments in Unix seconds; `number` counts them, from 1."""

    number: int
    began: float
    """The first sign."""
    detected: float
    """When it was seen here."""
    ended: float | None = None
    """When the last sign was gone; None while it goes on."""
    down: float = 0.0
    """Seconds in which somebody said that it is bad; without the pauses of trouble that comes and goes."""
    cause: str = UNKNOWN
    sources: tuple[Source, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    maintenance: bool = False
    well_since: float | None = None
    """Since when nobody says any more that it is bad; it ends when that lasts."""

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.ended is None

    @property
    def detection_delay(self) -> float:
        """Seconds from the first sign until it was seen here."""
        return max(0.0, self.detected - self.began)

    def duration(self, now: float) -> float:
        """Seconds from the first sign to the last, or to `now`."""
        return max(0.0, (now if self.ended is None else self.ended) - self.began)

    def to_json(self) -> dict[str, Any]:
        """As a record."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Incident:
        """From a record; TypeError or ValueError when it is none."""
        evidence = tuple(Evidence(**each) for each in given["evidence"])
        return cls(**{**given, "sources": tuple(map(Source, given["sources"])), "evidence": evidence})


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen `at`, Unix seconds: which sources say that it is bad, and since when; what happened, and the alerts that

    no other one explains. `passed`: seconds since the last one, None where nobody looked in between.
    """

    at: float
    bad: Mapping[Source, float] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    alerts: tuple[str, ...] = ()
    maintenance: bool = False
    passed: float | None = None


@dataclass(frozen=True, slots=True)
class Spacing:
    """In seconds: an incident ends when all was well for `quiet`; trouble within `rejoin` after it belongs to it; what
    happened up to `before` it began is evidence.
    """

    quiet: float = 60.0
    rejoin: float = 300.0
    before: float = 300.0


def follow(
    last: Incident | None, sight: Sight, recent: tuple[Evidence, ...] = (), spacing: Spacing = Spacing()
) -> list[Incident]:
    """What becomes of the last incident, open or not, and the one that begins: those that changed, at most two.

    `recent` is what happened lately, from which the evidence of one that begins is taken.
    """
    if last is not None and last.open and last.maintenance is not sight.maintenance:
        closed = replace(last, ended=sight.at, well_since=None)
        return [closed, *(_opened(closed, sight, recent, spacing) if sight.bad else ())]
    if last is not None and last.open:
        return [_went_on(last, sight, spacing)]
    if not sight.bad:
        return []
    if last is not None and _belongs(last, sight, spacing):
        return [_went_on(replace(last, ended=None, well_since=None), replace(sight, passed=None), spacing)]
    return _opened(last, sight, recent, spacing)


def _belongs(last: Incident, sight: Sight, spacing: Spacing) -> bool:
    assert last.ended is not None
    return last.maintenance is sight.maintenance and min(sight.bad.values()) - last.ended <= spacing.rejoin


def _opened(last: Incident | None, sight: Sight, recent: tuple[Evidence, ...], spacing: Spacing) -> list[Incident]:
    began = min(sight.at, *sight.bad.values())
    if last is not None and last.ended is not None:
        began = max(began, last.ended)
    evidence = tuple(each for each in (*recent, *sight.evidence) if each.at >= began - spacing.before)
    number = 1 if last is None else last.number + 1
    incident = Incident(number, began, sight.at, down=sight.at - began, maintenance=sight.maintenance)
    return [_seen(replace(incident, evidence=evidence[-_MOST_EVIDENCE:]), replace(sight, evidence=()))]


def _went_on(incident: Incident, sight: Sight, spacing: Spacing) -> Incident:
    incident = _seen(incident, sight)
    if sight.bad:
        # Half where it changed: nobody knows when between the two looks it did.
        more = 0.0 if sight.passed is None else sight.passed / (1 if incident.well_since is None else 2)
        return replace(incident, down=incident.down + more, well_since=None)
    if incident.well_since is None:
        more = 0.0 if sight.passed is None else sight.passed / 2
        return replace(incident, down=incident.down + more, well_since=sight.at)
    if sight.at - incident.well_since >= spacing.quiet and sight.passed is not None:
        return replace(incident, ended=incident.well_since, well_since=None)
    return incident


def _seen(incident: Incident, sight: Sight) -> Incident:
    sources = tuple(dict.fromkeys((*incident.sources, *sight.bad)))
    alerts = tuple(
        Evidence(sight.at, name) for name in sight.alerts if all(name != each.code for each in incident.evidence)
    )
    evidence = (*incident.evidence, *sight.evidence, *alerts)[:_MOST_EVIDENCE]  # what came first explains most
    return replace(incident, sources=sources, evidence=evidence, cause=_cause(evidence))


def _cause(evidence: tuple[Evidence, ...]) -> str:
    codes = [each.code for each in evidence]
    known = next((cause for cause in CAUSES if cause in codes), None)
    return known or next(iter(codes), UNKNOWN)
