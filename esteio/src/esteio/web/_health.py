"""The four questions a probe can ask, as routes.

- `{prefix}/live`: does the process answer? Touches nothing; restart it when it does not.
- `{prefix}/ready`: should a load balancer send requests here? Says no before the application is ready and
  while it drains - never because a dependency is away: that would take every instance out at once. Under
  maintenance it says no where it is given the switch: then a load balancer's own page is what people see.
- `{prefix}/startup`: has it started? Yes from the first readiness on, whatever comes after.
- `{prefix}`: how is everything? health+json (draft-inadarei-api-health-check-06); 503 when an essential check fails, or
  has never answered: the draft knows no "unknown" of the whole, and what nobody knows to be well gets no requests. The first
  who asks waits for the first answers, as everybody does: at most as long as the monitor's patience.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from esteio.health import Monitor, Report, Result, Status
from esteio.maintenance import Maintenance
from esteio.serve import lifecycle

__all__ = ["health_routes"]

_NO_STORE = {"Cache-Control": "no-store"}


def health_routes(
    monitor: Monitor,
    *,
    prefix: str = "/health",
    version: str = "",
    service: str = "",
    maintenance: Maintenance | None = None,
) -> list[Route]:
    """Routes for `monitor`; `service` and `version` go into the report.

    With `maintenance`, `ready` is 503 while that is on; without, the application answers for itself then. Raises
    `ValueError` for a `prefix` that is no path such as "/health".
    """
    if not prefix.startswith("/") or prefix.endswith("/"):
        msg = f"health_routes(prefix={prefix!r}): the report stands at the prefix itself; give a path such as '/health'"
        raise ValueError(msg)

    async def live(_: Request) -> Response:
        return PlainTextResponse("live\n", headers=_NO_STORE)

    async def ready(_: Request) -> Response:
        if not lifecycle.accepting:
            why, seconds = "draining" if lifecycle.draining else "starting", 1
        elif maintenance is not None and (notice := maintenance.state()):
            why, seconds = "maintenance", notice.retry_after(time.time())
        else:
            return PlainTextResponse("ready\n", headers=_NO_STORE)
        return PlainTextResponse(f"{why}\n", 503, headers={**_NO_STORE, "Retry-After": str(seconds)})

    started = False

    async def startup(_: Request) -> Response:
        nonlocal started
        started = started or lifecycle.ready
        if started:
            return PlainTextResponse("started\n", headers=_NO_STORE)
        return PlainTextResponse("starting\n", 503, headers={**_NO_STORE, "Retry-After": "1"})

    async def health(_: Request) -> Response:
        report = await monitor.report()
        failed = report.status in (Status.FAIL, Status.UNKNOWN)
        status = Status.FAIL if failed else report.status
        body: dict[str, Any] = {"status": status, "serviceId": service, "version": version}
        if report.causes:
            body["output"] = "; ".join(_cause(name, report.results[name]) for name in report.causes)
        body["checks"] = _checks(report)
        return Response(
            json.dumps(body),
            503 if failed else 200,
            media_type="application/health+json",
            headers=_NO_STORE,
        )

    return [
        Route(f"{prefix}/live", live),
        Route(f"{prefix}/ready", ready),
        Route(f"{prefix}/startup", startup),
        Route(prefix, health),
    ]


def _cause(name: str, result: Result) -> str:
    return f"{name}: {result.reason}" if result.reason else name


def _checks(report: Report) -> dict[str, list[dict[str, Any]]]:
    return {name: [_check(result)] for name, result in report.results.items()}


def _check(result: Result) -> dict[str, Any]:
    check: dict[str, Any] = {
        "status": result.status,
        "time": datetime.fromtimestamp(result.time, UTC).isoformat(timespec="milliseconds"),
        "observedUnit": result.unit,
    }
    if result.observed is not None:
        check["observedValue"] = round(result.observed, 3)
    if result.reason:
        check["output"] = result.reason
    return check
