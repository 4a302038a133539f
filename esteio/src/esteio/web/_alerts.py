"""`/health/alerts`: what fires, what was wrong and why, and how much may still fail, as one JSON document.

Promises: it needs neither the database nor anything else that alerts are about; what nobody knows is null.
`decidedAt` says when the monitor that decides was last there.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esteio.alert.incidents import Incident
from esteio.alert.monitor import Alerts
from esteio.alert.objectives import AVAILABILITY, LATENCY, Budget, Burn, budget, burns
from esteio.alert.rules import Alert, Silence

__all__ = ["AlertFacts", "health_alerts_route", "read_alerts"]

_SHOWN_FOR = 90 * 86_400.0  # seconds
_MOST_INCIDENTS = 50
_OBJECTIVES = (AVAILABILITY, LATENCY)

Allow = Callable[[Request], Awaitable[Response | None]]


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """What the file of the alerts says at one moment. `decided_at`: when the monitor last was there, None: never."""

    decided_at: float | None
    firing: Sequence[Alert]
    silences: Sequence[Silence]
    incidents: Sequence[Incident]
    """Of 90 days, the newest first."""
    objectives: Sequence[tuple[Budget, Sequence[Burn]]]


def read_alerts(alerts: Alerts, now: float) -> AlertFacts:
    """All of it; blocks while it reads."""
    ledger = alerts.ledger()
    return AlertFacts(
        alerts.decided_at(),
        alerts.firing(),
        alerts.silences(now),
        alerts.incidents(now - _SHOWN_FOR, most=_MOST_INCIDENTS),
        [(budget(each, ledger, now), burns(each, ledger, now)) for each in _OBJECTIVES],
    )


def health_alerts_route(alerts: Alerts, *, path: str = "/health/alerts", allow: Allow | None = None) -> Route:
    """The route. `allow` is asked first: what it returns is answered instead, None lets the request in."""

    async def show(request: Request) -> Response:
        refusal = await allow(request) if allow is not None else None
        if refusal is not None:
            return refusal
        now = time.time()
        document = _document(await asyncio.to_thread(read_alerts, alerts, now), now)
        return Response(json.dumps(document), media_type="application/json", headers={"Cache-Control": "no-store"})

    return Route(path, show, methods=["GET"])


def _document(facts: AlertFacts, now: float) -> dict[str, Any]:
    return {
        "at": now,
        "decidedAt": facts.decided_at,
        "firing": [_alert(each) for each in facts.firing],
        "silences": [
            {"pattern": each.pattern, "until": each.until, "by": each.by, "why": each.why} for each in facts.silences
        ],
        "incidents": [_incident(each, now) for each in facts.incidents],
        "objectives": [_objective(found, windows) for found, windows in facts.objectives],
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "name": alert.name,
        "since": alert.bad_since,
        "firingSince": alert.firing_since,
        "reason": alert.reason,
        "told": alert.told is not None,
        "held": alert.held or None,
        "acknowledgedBy": alert.acknowledged or None,
        "escalated": alert.escalated,
    }


def _incident(incident: Incident, now: float) -> dict[str, Any]:
    return {
        "number": incident.number,
        "began": incident.began,
        "detected": incident.detected,
        "ended": incident.ended,
        "durationSeconds": incident.duration(now),
        "downSeconds": incident.down,
        "cause": incident.cause,
        "sources": [str(each) for each in incident.sources],
        "maintenance": incident.maintenance,
        "evidence": [{"at": each.at, "code": each.code, "detail": each.detail} for each in incident.evidence],
    }


def _objective(found: Budget, windows: Sequence[Burn]) -> dict[str, Any]:
    return {
        "name": found.objective.name,
        "target": found.objective.target,
        "unit": "seconds" if found.tally.timed else "requests",
        "total": found.tally.total,
        "bad": found.tally.bad,
        "allowed": found.allowed,
        "left": found.left,
        "burns": [{"window": each.window.name, "rate": each.rate, "burning": each.burning} for each in windows],
    }
