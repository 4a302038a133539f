"""One scrape has what all workers measured, in the formats of Prometheus, with bounded labels and documented names."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from esteio import (
    Bulkhead,
    Cache,
    CircuitBreaker,
    Deadline,
    Fallback,
    Hedge,
    LoadShedder,
    Pipeline,
    Registry,
    Retry,
    Timeout,
)
from esteio.backup import Problem, ProblemCode
from esteio.backup.agent._reporter import AgentState, write_state
from esteio.health import HistoryReader, Measurements, Sampler
from esteio.health._history import History, Observation
from esteio.health._samples import merge_pages, pack
from esteio.health.series import CANCELLED, HTTP, Family, Key, State
from esteio.limit import Limit, RateLimit
from esteio.metrics import DEFINITIONS, of_family, reference_page
from esteio.metrics._definitions import GROUPS
from esteio.policy.hooks.prometheus import export_policies
from esteio.web import Measure, RequestId
from esteio.web.limits import Rule, RuleSet
from esteio.web.metrics import BOUNDS, Exports, exposition, metrics_route
from esteio.web.shedding import Admission, Level, SheddingLimits
from esteio.web.shedding.prometheus import export_shedding

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"


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


@pytest.fixture
def watched(tmp_path: Path) -> dict[str, Any]:
    """What a host monitor and an agent of backups wrote."""
    now = time.time()
    history = History(tmp_path / "health.sqlite")
    history.observe(
        Observation(now - 5, {"disk:free": 7.5}, {"disk:free": (State.DEGRADED, ""), "service": (State.UP, "")})
    )
    history.close()
    write_state(
        tmp_path / "operator.json",
        AgentState(
            now - 10, 1, active=True, found=(Problem.of(ProblemCode.NO_BACKUP),), newest="b", newest_age=60.0, verified="a",
            verified_age=3600.0, restore_seconds=4.0, lag=512,
        ),
    )  # fmt: skip
    return {"history": HistoryReader(history.path), "backups": tmp_path / "operator.json"}


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


def test_each_exported_metric_is_defined_and_each_defined_one_of_the_page_is_exported(
    measured: Measurements, watched: dict[str, Any]
) -> None:
    page, _ = exposition(measured, "*/*", **watched)
    shown = {family.name: family for family in text_format(page.decode())}
    for family in shown.values():
        definition = of_family(family.name)
        assert definition is not None, family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert family.type == definition.kind, family.name
        assert family.documentation == definition.help or family.documentation == "x", family.name
        assert labels in (set(definition.labels), set()), family.name
    elsewhere = ("policy", "postgres", "shedding")  # what these export is compared in their own tests
    wanted = {metric.family for metric in DEFINITIONS.values() if metric.group not in elsewhere}
    assert wanted <= shown.keys()


def test_what_load_shedding_exports_is_as_it_is_defined_and_counted() -> None:
    admission, registry = (
        Admission([Level("low", share=0.5), Level("high")], SheddingLimits(1, 1, 1)),
        CollectorRegistry(),
    )
    export_shedding(admission, to=registry)
    for level in (1, 0):  # the second waits
        admission.enter(level, 0.0)
    shown = {family.name: family for family in registry.collect()}
    assert shown.keys() == {metric.family for metric in DEFINITIONS.values() if metric.group == "shedding"}
    assert [shown[f"esteio_shedding_{name}"].samples[0].value for name in ("limit", "running", "waiting")] == [1, 1, 1]
    admitted = {"level": "high", "decision": "admitted"}
    assert registry.get_sample_value("esteio_shedding_requests_total", admitted) == 1


def test_the_reference_page_is_made_from_the_definitions() -> None:
    assert DOCS.read_text(encoding="utf-8") == reference_page(), "run `make docs`"
    for metric in DEFINITIONS.values():
        assert metric.group in GROUPS
        assert f"| `{metric.name}` |" in reference_page()


def test_each_policy_exports_what_is_defined() -> None:
    pipelines = Registry()
    policies = [
        LoadShedder(), Cache(1), Fallback(lambda _: 1), Deadline(5), Retry(2, 0, idempotent=True), Hedge(1, idempotent=True),
        RateLimit(Limit(5, 1)), CircuitBreaker(), Bulkhead(2), Timeout(1),
    ]  # fmt: skip
    pipe = Pipeline("all", *policies, registry=pipelines)
    pipe.circuit.isolate()
    registry = CollectorRegistry()
    export_policies(pipelines, registry)
    found = {family.name: family for family in registry.collect()}
    defined = {metric.family: metric for metric in DEFINITIONS.values() if metric.group == "policy"}
    assert found.keys() <= defined.keys()
    assert defined.keys() - found.keys() <= {"esteio_policy_breaker_retry_after_seconds"}, "only of an open circuit"
    assert {name: family.type for name, family in found.items()} == {name: defined[name].kind for name in found}


def test_gauges_of_workers_become_one_as_their_definition_says(tmp_path: Path) -> None:
    name = "esteio_policy_breaker_retry_after_seconds"
    pages = [(True, pack([Family(name, "gauge", "", {(name, ()): value})])) for value in (3.0, 9.0, 5.0)]
    assert merge_pages(pages)[0].samples == {(name, ()): 9.0}


def test_the_page_is_what_the_parsers_of_prometheus_read_back(tmp_path: Path) -> None:
    odd = 'a"b\\c\nd{}%'
    with Measurements.create(tmp_path / "m") as made, Measurements(made.path) as worker:
        worker.slot.record(worker.slot.add(Key(HTTP, "GET", "2xx", odd)), 0.3)
        families = [
            Family("esteio_x", "gauge", odd, {("esteio_x", (("l", odd),)): 1e300}),
            Family(
                "esteio_y", "gauge", "", {("esteio_y", (("l", str(v)),)): v for v in (0.1, -3.0, 2.0**60, float("inf"))}
            ),
            Family("esteio_z", "summary", "", {("esteio_z_sum", ()): 1.5, ("esteio_z_count", ()): 2.0}),
        ]
        Sampler(worker, lambda: families)._publish()
        for accept, parse in (("*/*", text_format), ("application/openmetrics-text", openmetrics)):
            found = samples(exposition(made, accept)[0].decode(), parse)
            assert (
                found[
                    "esteio_http_request_seconds_count",
                    frozenset({("method", "GET"), ("route", odd), ("outcome", "2xx")}),
                ]
                == 1
            )
            for family in families:
                for (name, labels), value in family.samples.items():
                    assert found[name, frozenset(labels)] == value


async def test_buckets_carry_the_newest_request_as_an_exemplar_in_openmetrics_only(tmp_path: Path) -> None:
    with Measurements.create(tmp_path / "m") as made, Measurements(made.path) as worker:
        sampler = Sampler(worker)
        app: Any = Measure(
            RequestId(Starlette(routes=[Route("/x/{id}", lambda _: PlainTextResponse("x"))])), worker, sampler
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            names = [(await client.get("/x/1")).headers["x-request-id"] for _ in range(3)]
        sampler.end()  # it publishes once more
        page = exposition(made, "application/openmetrics-text")[0].decode()
        assert "# {" not in exposition(made, "*/*")[0].decode()
    found = [
        sample.exemplar
        for family in openmetrics(page)
        for sample in family.samples
        if sample.exemplar is not None and sample.labels["route"] == "/x/{id}"
    ]
    assert found
    assert {exemplar.labels["request_id"] for exemplar in found} <= set(names)
    assert names[-1] in {exemplar.labels["request_id"] for exemplar in found}


def test_what_is_watched_from_beside_the_workers_is_there_with_its_age(
    measured: Measurements, watched: dict[str, Any]
) -> None:
    found = samples(exposition(measured, "*/*", **watched)[0].decode(), text_format)
    assert found["esteio_check_state", frozenset({("check", "disk:free"), ("state", "degraded")})] == 1
    assert found["esteio_check_state", frozenset({("check", "disk:free"), ("state", "up")})] == 0
    assert found["esteio_check_value", frozenset({("check", "disk:free")})] == 7.5
    assert 5 <= found["esteio_check_silent_seconds", frozenset()] < 60
    assert 3600 <= found["esteio_backup_proven_age_seconds", frozenset()] < 3700
    assert found["esteio_backup_problems", frozenset()] == 1
    assert found["esteio_backup_wal_lag_bytes", frozenset()] == 512


def test_a_check_that_nobody_looked_at_for_minutes_is_unknown(measured: Measurements, tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    history = History(path)
    history.observe(Observation(time.time() - 600, {}, {"disk:free": (State.UP, "")}))
    history.close()
    found = samples(exposition(measured, "*/*", history=HistoryReader(path))[0].decode(), text_format)
    assert found["esteio_check_state", frozenset({("check", "disk:free"), ("state", "unknown")})] == 1
    assert found["esteio_check_state", frozenset({("check", "disk:free"), ("state", "up")})] == 0


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
