"""The guide's JSON: now, the last hour, minute by minute, circuits; null where nobody measured."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from esteio.health import HistoryReader, Measurements
from esteio.health._history import History, Observation
from esteio.health.series import Family
from esteio.web import health_metrics_route
from esteio.web._health_metrics import circuits


async def document(*arguments: Any, **options: Any) -> Any:
    app = Starlette(routes=[health_metrics_route(*arguments, **options)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        answer = await client.get("/health/metrics")
    return answer.json() if answer.status_code == 200 else answer.status_code


async def test_it_has_the_keys_and_numbers_of_the_guide(tmp_path: Path) -> None:
    history, now = History(tmp_path / "h"), time.time()
    for minute in range(70, -1, -1):
        values = {"workers.memory": 100.0 + minute, "postgres:responseTime": 2.0, "requests.errors": float(minute == 5)}
        values |= {"host.cpu": 7.0, "disk:free": 40.0, "disk:free/days left": 12.5, "replication:lag/wal": 1e6}
        history.observe(Observation(now - 60 * minute, values))
    found = await document(Measurements(), HistoryReader(tmp_path / "h"))
    current, stats = found["current"], found["stats"]
    assert {"memoryUsageMB", "dbResponseTimeMs", "uptime", "errorRate", "activeRequests", "timestamp"} <= current.keys()
    assert current["dbResponseTimeMs"] == 2.0
    assert current["workers"] == 1
    assert current["requestsPerSecond"] is None
    assert (stats["minutes"], stats["avgDbResponseMs"], stats["maxDbResponseMs"], stats["maxErrorRate"]) == (
        60,
        2.0,
        2.0,
        1.0,
    )
    assert 125 < stats["avgMemoryMB"] < 135
    assert 155 < stats["maxMemoryMB"] < 165
    assert 0 < stats["avgErrorRate"] < 0.05
    assert 14 <= len(found["history"]) <= 16
    assert found["history"][-1]["memoryUsageMB"] == 100.0
    host = found["host"]
    assert (host["cpuPercent"], host["diskFreePercent"], host["swapPercent"]) == (7.0, 40.0, None)
    assert (host["diskDaysLeft"], host["replicationLagBytes"]) == ({"disk:free": 12.5}, {"wal": 1e6})


async def test_without_a_history_what_is_not_known_is_null() -> None:
    found = await document(Measurements(), None)
    assert found["current"]["dbResponseTimeMs"] is None
    assert found["stats"]["avgMemoryMB"] is None
    assert found["history"] == []


async def test_it_is_not_for_everybody() -> None:
    async def allow(_: Request) -> Response | None:
        return PlainTextResponse("no", 403)

    assert await document(Measurements(), None, allow=allow) == 403


def test_a_circuit_is_as_bad_as_in_the_worst_worker() -> None:
    def state(name: str) -> Any:
        return ("esteio_policy_breaker_state", (("pipeline", "cep"), ("policy", "breaker"), ("state", name)))

    family = Family(
        "esteio_policy_breaker_state", "gauge", "", {state("closed"): 1.0, state("half-open"): 1.0, state("open"): 0.0}
    )
    assert circuits([family]) == {"cep/breaker": {"state": "HALF_OPEN", "workers": {"closed": 1, "half-open": 1}}}
