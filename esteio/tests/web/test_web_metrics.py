"""One scrape has what all workers measured, in the formats of Prometheus, with bounded labels and documented names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from esteio.health import Measurements, Sampler
from esteio.health.series import CANCELLED, HTTP, Key
from esteio.limit import Limit
from esteio.web.limits import Rule, RuleSet
from esteio.web.metrics import BOUNDS, Exports, exposition, metrics_route

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "health.md"


class Pool:
    """A collector as a pool has one."""

    def __init__(self, acquired: float) -> None:
        self.acquired = acquired

    def collect(self) -> Any:
        counter = CounterMetricFamily("esteio_postgres_acquired", "x", labels=["database"])
        counter.add_metric(["main"], self.acquired)
        gauge = GaugeMetricFamily("esteio_postgres_in_use", "x", labels=["database"])
        gauge.add_metric(["main"], 2.0)
        up = GaugeMetricFamily("esteio_postgres_up", "x", labels=["database"])
        up.add_metric(["main"], float(self.acquired < 100))
        return [counter, gauge, up]


@pytest.fixture
def measured(tmp_path: Path) -> Any:
    """Two workers that live and one that is gone."""
    with Measurements.create(tmp_path / "m", workers=2) as made:
        workers = [Measurements(made.path) for _ in range(3)]
        rules = RuleSet([Rule(limit=Limit(1, 1, name="api"), key=lambda scope: "x")])
        rules.counts()["api"].denied = 3
        for number, worker in enumerate(workers):
            for seconds in (0.003, 0.3, 20.0):
                worker.slot.record(worker.slot.add(Key(HTTP, "GET", "2xx", "/things/{id}")), seconds)
            exports = Exports(lambda registry, n=number: registry.register(Pool(10.0**n)), rules=rules)
            Sampler(worker, exports)._publish()
        workers[0].slot.record(workers[0].slot.add(Key(HTTP, "GET", CANCELLED, "/things/{id}")), 1.0)
        workers.pop(1).close()
        yield made
        for worker in workers:
            worker.close()


def samples(page: str, parse: Any) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {(s.name, frozenset(s.labels.items())): s.value for family in parse(page) for s in family.samples}


@pytest.mark.parametrize(
    ("accept", "parse", "media_type"),
    [
        ("*/*", text_format, "text/plain"),
        ("application/openmetrics-text; version=1.0.0", openmetrics, "application/openm"),
    ],
    ids=["text", "OpenMetrics"],
)
def test_one_scrape_has_the_numbers_of_all_workers(
    measured: Measurements, accept: str, parse: Any, media_type: str
) -> None:
    page, said = exposition(measured, accept)
    assert said.startswith(media_type)
    found = samples(page.decode(), parse)
    route = {("method", "GET"), ("route", "/things/{id}")}

    def requests(end: str, outcome: str = "2xx", **labels: str) -> float:
        key = frozenset({*route, ("outcome", outcome), *labels.items()})
        return found["esteio_http_request_seconds" + end, key]

    assert requests("_count") == 9
    assert requests("_sum") == pytest.approx(60.909)
    assert [requests("_bucket", le=str(bound)) for bound in BOUNDS] == [3.0] * 6 + [3.0] + [6.0] * 5
    assert requests("_count", CANCELLED) == 1
    assert found["esteio_workers", frozenset()] == 2
    pool = frozenset({("database", "main")})
    assert found["esteio_postgres_acquired_total", pool] == 111, "of the worker that is gone, too"
    assert found["esteio_postgres_in_use", pool] == 4, "of those that live"
    assert found["esteio_postgres_up", pool] == 0, "one of them does not reach it"
    assert found["esteio_limit_decisions_total", frozenset({("rule", "api"), ("decision", "denied")})] == 9


def test_each_metric_is_documented_with_its_labels(measured: Measurements) -> None:
    page, _ = exposition(measured, "*/*")
    rows = dict(re.findall(r"^\| `(esteio_\w+)` \| ([^|]*) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE))
    for family in text_format(page.decode()):
        if family.name.startswith(("esteio_postgres_", "esteio_policy_")):
            continue  # their own pages
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        kind, _, named = rows[name].partition(":")
        assert (kind, {each.strip() for each in named.split(",") if each.strip()}) == (family.type, labels), name


async def test_who_may_not_see_them_gets_what_the_application_says(measured: Measurements) -> None:
    async def allow(request: Request) -> Response | None:
        return None if request.headers.get("x-who") == "me" else PlainTextResponse("who?", 401)

    app = Starlette(routes=[metrics_route(measured, allow=allow)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        assert (await client.get("/metrics")).status_code == 401
        answer = await client.get("/metrics", headers={"x-who": "me"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")


def test_what_a_collector_raises_stops_no_measuring(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise RuntimeError("the pool is closed")

    sampler = Sampler(Measurements(), broken)
    sampler._publish()
    sampler._publish()
    assert [record.message for record in caplog.records] == [
        "measuring failed; it goes on, and this is not logged again"
    ]
