"""`/health/metrics`: how the service is doing, as one JSON document: now, over the last hour, minute by minute, circuits.

Promises: numbers are of all workers of the host; what nobody measured is null, never 0. `current` says how old it is.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esteio.health import HistoryReader, Measurements
from esteio.health.series import Family, Point, Reading

__all__ = ["circuits", "health_metrics_route"]

Allow = Callable[[Request], Awaitable[Response | None]]
_HISTORY, _STATS = 15, 60  # minutes
_FRESH = 180.0  # seconds: an older sample says nothing of now
_KEYS = {
    "memoryUsageMB": "workers.memory",
    "cpuPercent": "workers.cpu",
    "activeRequests": "requests.active",
    "requestsPerSecond": "requests.rate",
    "errorRate": "requests.errors",
    "p50Ms": "requests.p50",
    "p95Ms": "requests.p95",
    "p99Ms": "requests.p99",
    "eventLoopLagMs": "workers.lag",
}
_STATISTICS = {
    "MemoryMB": "workers.memory",
    "CpuPercent": "workers.cpu",
    "ErrorRate": "requests.errors",
    "RequestsPerSecond": "requests.rate",
}
_HOST = {
    "cpuPercent": "host.cpu",
    "memoryPercent": "host.memory",
    "swapPercent": "host.swap",
    "loadPerCpu": "host.load",
    "diskFreePercent": "disk:free",
    "clockOffsetSeconds": "clock:offset",
    "certificateDays": "tls:certificate",
}
_WORST_FIRST = ("forced open", "open", "half-open", "disabled", "metrics only", "closed")


def health_metrics_route(
    measurements: Measurements,
    history: HistoryReader | None,
    *,
    database: str = "postgres:responseTime",
    path: str = "/health/metrics",
    allow: Allow | None = None,
) -> Route:
    """The route. `history`: what a `HostMonitor` writes, None where there is none; `database`: the check of that series.

    `allow` is asked first: what it returns is answered instead, None lets the request in.
    """

    async def metrics(request: Request) -> Response:
        refusal = await allow(request) if allow is not None else None
        if refusal is not None:
            return refusal
        document = await asyncio.to_thread(_document, measurements, history, database, time.time())
        return Response(json.dumps(document), media_type="application/json", headers={"Cache-Control": "no-store"})

    return Route(path, metrics, methods=["GET"])


def _document(measurements: Measurements, history: HistoryReader | None, database: str, now: float) -> dict[str, Any]:
    reading = measurements.read()
    series = history.minutes(now - 60 * _STATS) if history is not None else {}
    keys = {**_KEYS, "dbResponseTimeMs": database}
    return {
        "current": _current(reading, measurements.began, series, keys, now),
        "stats": _stats(series, {**_STATISTICS, "DbResponseMs": database}),
        "history": _minutes(series, keys, now - 60 * _HISTORY),
        "circuits": circuits(reading.families),
        "host": _host(series, now),
    }


def _host(series: Mapping[str, Sequence[Point]], now: float) -> dict[str, Any]:
    """What whoever watches the host measured last; null where nobody did."""
    newest = {name: p[-1].average for name, p in series.items() if p and now - p[-1].at < _FRESH}
    parts = {name.partition("/")[::2]: value for name, value in newest.items() if "/" in name}
    return {
        **{key: _rounded(newest.get(name)) for key, name in _HOST.items()},
        "diskDaysLeft": {check: _rounded(value) for (check, part), value in parts.items() if part == "days left"},
        "replicationLagBytes": {
            part: _rounded(value) for (check, part), value in parts.items() if check == "replication:lag"
        },
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _current(
    reading: Reading, began: float, series: Mapping[str, Sequence[Point]], keys: Mapping[str, str], now: float
) -> dict[str, Any]:
    newest = {key: series[name][-1] for key, name in keys.items() if series.get(name)}
    found: dict[str, Any] = {
        key: round(newest[key].average, 3) if key in newest and now - newest[key].at < _FRESH else None for key in keys
    }
    # What the workers themselves say is newer than any sample.
    found["memoryUsageMB"] = round(sum(worker.memory for worker in reading.workers) / 1e6, 1)
    found["cpuPercent"] = round(sum(worker.cpu_percent for worker in reading.workers), 1)
    found["activeRequests"] = reading.active
    sampled = max((point.at for point in newest.values()), default=None)
    return {
        "timestamp": _moment(now),
        "sampledAt": None if sampled is None else _moment(sampled),
        "uptime": round(max(0.0, now - began), 1),
        "workers": len(reading.workers),
        **found,
    }


def _stats(series: Mapping[str, Sequence[Point]], names: Mapping[str, str]) -> dict[str, Any]:
    """The keys are `avg` and `max` before each of `names`; averages weigh each minute alike."""
    found: dict[str, Any] = {"minutes": _STATS}
    for key, name in names.items():
        points = series.get(name, ())
        found[f"avg{key}"] = round(sum(p.average for p in points) / len(points), 3) if points else None
        found[f"max{key}"] = round(max(p.greatest for p in points), 3) if points else None
    return found


def _minutes(series: Mapping[str, Sequence[Point]], keys: Mapping[str, str], since: float) -> list[dict[str, Any]]:
    minutes: dict[float, dict[str, Any]] = {}
    for key, name in keys.items():
        for point in series.get(name, ()):
            if point.at >= since:
                minute = minutes.setdefault(point.at, {"timestamp": _moment(point.at), **dict.fromkeys(keys)})
                minute[key] = round(point.average, 3)
    return [minutes[at] for at in sorted(minutes)]


def circuits(families: Sequence[Family]) -> dict[str, dict[str, Any]]:
    """Each circuit's state - the worst of any worker's, as the guide writes it - and how many workers are in which."""
    found: dict[str, dict[str, int]] = {}
    for family in families:
        if family.name == "esteio_policy_breaker_state":
            for (_, labels), workers in family.samples.items():
                label = dict(labels)
                states = found.setdefault(f"{label['pipeline']}/{label['policy']}", {})
                if workers:
                    states[label["state"]] = int(workers)
    return {
        name: {
            "state": next((s for s in _WORST_FIRST if s in states), "unknown")
            .replace("-", "_")
            .replace(" ", "_")
            .upper(),
            "workers": states,
        }
        for name, states in sorted(found.items())
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
