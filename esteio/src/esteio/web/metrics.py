"""`/metrics`: what all workers of this host measured, in one scrape, for Prometheus and whatever reads its formats.

Promises: one scrape has the numbers of all workers, whoever answers it; counters never go back. Labels are bounded: routes by
their templates, workers by their slots, statements by `Exports.statements`. The text format, or OpenMetrics where the client
asks for it. What the pool, the limits and the policies export is there as well, added up over workers; it is up to two
seconds old. Needs the extra `prometheus`.

Names, units and labels stand in
docs/reference/health.md. The bounds of the histograms are powers of two, where buckets of ours end: counts up to them are
exact.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("prometheus"):
    import prometheus_client  # noqa: F401 - whether it is there

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esteio.health import Measurements
from esteio.health.series import HTTP, LAG, Family, Latency, Reading
from esteio.policy.hooks.prometheus import export_policies
from esteio.web.limits import RuleSet

if TYPE_CHECKING:
    from esteio.postgres import StatementStats

__all__ = ["BOUNDS", "Exports", "exposition", "metrics_route"]

BOUNDS = tuple(2.0**power for power in range(-8, 4))
"""Upper bounds of the histograms' buckets in seconds: from 3.9 ms to 8 s."""

Allow = Callable[[Request], Awaitable[Response | None]]


class _Everything(Collector):
    def __init__(self, measurements: Measurements) -> None:
        self._measurements = measurements

    def collect(self) -> Iterator[Metric]:
        reading = self._measurements.read()
        yield from _requests(reading)
        yield from _workers(reading)
        yield from (_metric(family) for family in reading.families if family.kind != TEXT)

    def describe(self) -> Iterator[Metric]:
        return iter(())  # else registering would collect once for nothing


TEXT = "text"
"""The kind of a family that is for people and no metric: labels are no place for texts."""
_TEXTS, _TEXT = 20, 300  # statements, and characters of each


def exposition(measurements: Measurements, accept: str) -> tuple[bytes, str]:
    """The page and its media type, as the header `accept` asks for it."""
    encode, media_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Everything(measurements))
    return encode(registry), media_type


def metrics_route(measurements: Measurements, *, path: str = "/metrics", allow: Allow | None = None) -> Route:
    """The route. `allow` is asked first: what it returns is answered instead, None lets the request in."""

    async def metrics(request: Request) -> Response:
        refusal = await allow(request) if allow is not None else None
        if refusal is not None:
            return refusal
        # In a thread: hundreds of routes take some milliseconds, in which other requests go on.
        body, media_type = await asyncio.to_thread(exposition, measurements, request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

    return Route(path, metrics, methods=["GET"])


class Exports:
    """What a worker's sampler keeps for all to read: `Sampler(measurements, exports)`.

    `statements`, such as `database.statements`, gives the texts that the operations page shows. `register` takes further
    collectors of prometheus_client, such as `lambda registry: export_database(db, to=registry)`.
    """

    def __init__(
        self,
        *register: Callable[[CollectorRegistry], object],
        rules: RuleSet | None = None,
        statements: Callable[[], Sequence[StatementStats]] | None = None,
    ) -> None:
        self._statements = statements
        self._registry = CollectorRegistry(auto_describe=False)
        export_policies(to=self._registry)
        if rules is not None:
            self._registry.register(_Rules(rules))
        for each in register:
            each(self._registry)

    def __call__(self) -> Iterable[Family]:
        """All samples now."""
        for metric in self._registry.collect():
            yield Family(
                metric.name, metric.type, metric.documentation,
                {(s.name, tuple(sorted(s.labels.items()))): float(s.value) for s in metric.samples},
            )  # fmt: skip
        if self._statements is not None:
            texts = [(("fingerprint", s.fingerprint), ("text", s.text[:_TEXT])) for s in self._statements()[:_TEXTS]]
            yield Family("esteio_postgres_statement_text", TEXT, "", {("text", labels): 1.0 for labels in texts})


class _Rules(Collector):
    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules

    def collect(self) -> Iterator[Metric]:
        decisions = CounterMetricFamily(
            "esteio_limit_decisions", "What the rule's limit decided.", labels=["rule", "decision"]
        )
        for name, counts in self._rules.counts().items():
            for decision in ("allowed", "denied", "shadowed", "degraded"):
                decisions.add_metric([name, decision], getattr(counts, decision))
        yield decisions

    def describe(self) -> Iterator[Metric]:
        return iter(())


def _requests(reading: Reading) -> Iterator[Metric]:
    seconds = HistogramMetricFamily(
        "esteio_http_request_seconds", "Time until the answer was whole.", labels=["method", "route", "outcome"]
    )
    lag = HistogramMetricFamily("esteio_event_loop_lag_seconds", "How late event loops were.", labels=[])
    for key, latency in sorted(reading.series.items()):
        if key.kind == HTTP:
            seconds.add_metric([key.method, key.route, key.outcome], _buckets(latency), latency.seconds)
        elif key.kind == LAG:
            lag.add_metric([], _buckets(latency), latency.seconds)
    yield seconds
    yield lag
    yield _gauge("esteio_http_requests_active", "Requests being answered.", [("", reading.active)])


def _workers(reading: Reading) -> Iterator[Metric]:
    now = time.time()
    workers = [(str(worker.slot), worker) for worker in reading.workers]
    yield _gauge("esteio_workers", "Processes that live.", [("", len(workers))])
    yield _gauge(
        "esteio_worker_loop_lag_max_seconds", "The most that its event loop was late in the last ten seconds.",
        [(slot, worker.lag) for slot, worker in workers],
    )  # fmt: skip
    yield _gauge(
        "esteio_worker_silent_seconds", "Since the process last wrote its numbers.",
        [(slot, max(0.0, now - worker.updated)) for slot, worker in workers],
    )  # fmt: skip
    yield _gauge("esteio_worker_memory_bytes", "Resident memory.", [(slot, worker.memory) for slot, worker in workers])
    yield _gauge(
        "esteio_worker_uptime_seconds", "Since the process began to measure.",
        [(slot, max(0.0, now - worker.started)) for slot, worker in workers],
    )  # fmt: skip
    cpu = CounterMetricFamily("esteio_worker_cpu_seconds", "Processor time.", labels=["worker"])
    for slot, worker in workers:
        cpu.add_metric([slot], worker.cpu_seconds)
    yield cpu


def _gauge(name: str, text: str, values: Iterable[tuple[str, float]]) -> Metric:
    """One with a label `worker`, but for the value of nobody in particular."""
    values = list(values)
    alone = [slot for slot, _ in values] == [""]
    gauge = GaugeMetricFamily(name, text, labels=[] if alone else ["worker"])
    for slot, value in values:
        gauge.add_metric([] if alone else [slot], value)
    return gauge


_LE = [*(str(bound) for bound in BOUNDS), "+Inf"]


def _buckets(latency: Latency) -> list[tuple[str, float]]:
    counts = [*latency.up_to(BOUNDS), latency.count]
    return [(bound, float(count)) for bound, count in zip(_LE, counts, strict=True)]


def _metric(family: Family) -> Metric:
    metric = Metric(family.name, family.help, family.kind)
    for (name, labels), value in family.samples.items():
        metric.add_sample(name, dict(labels), value)
    return metric
