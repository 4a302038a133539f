"""`/metrics`: what all workers of this host measured, in one scrape, for Prometheus and whatever reads its formats.

Promises: one scrape has the numbers of all workers, whoever answers it; counters never go back. Labels are bounded: routes by
their templates, workers by their slots, statements by `Exports.statements`. The text format, or OpenMetrics with exemplars
where the client asks for it. What the pool, the limits and the policies export is there as well, added up over workers; it is
up to two seconds old. What watches the host from beside the workers - checks, backups - is there as it was last written down.
Needs the extra `prometheus`.

Names, units and labels stand in docs/reference/metrics.md. The bounds of the histograms are powers of two, where buckets of
ours end: counts up to them are exact.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("prometheus"):
    import prometheus_client  # noqa: F401 - whether it is there

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from secrets import token_bytes
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esteio.health import HistoryReader, Measurements
from esteio.health.series import HTTP, LAG, WEBSOCKET, WEBSOCKET_HANDSHAKE, Family, Reading
from esteio.metrics import DEFINITIONS
from esteio.policy.hooks.prometheus import export_policies
from esteio.web._exposition import BOUNDS, EXEMPLARS, OPEN_METRICS, Page, exemplars
from esteio.web._exposition import TEXT as TEXT_FORMAT
from esteio.web._watched import write_backups, write_checks
from esteio.web.limits import RuleSet

if TYPE_CHECKING:
    from esteio.postgres import StatementStats

__all__ = ["BOUNDS", "Exports", "exposition", "metrics_route"]

Allow = Callable[[Request], Awaitable[Response | None]]
TEXT = "text"
"""The kind of a family that is for people and no metric: labels are no place for texts."""
_TEXTS, _TEXT = 20, 300  # statements, and characters of each
_KEYS = 10  # of each rule
_INTERNAL = (TEXT, EXEMPLARS)


def exposition(
    measurements: Measurements, accept: str, *, history: HistoryReader | None = None, backups: Path | None = None
) -> tuple[bytes, str]:
    """The page and its media type, as the header `accept` asks for it.

    `history`: what a `HostMonitor` writes; `backups`: the file in which `esteio backup agent` says how they are.
    """
    openmetrics = "application/openmetrics-text" in accept
    page = Page(openmetrics=openmetrics)
    reading = measurements.read()
    _write_requests(page, reading)
    _write_workers(page, reading)
    for family in reading.families:
        if family.kind not in _INTERNAL:
            page.family(family)
    if history is not None:
        write_checks(page, history, time.time())
    if backups is not None:
        write_backups(page, backups, time.time())
    return page.whole(), OPEN_METRICS if openmetrics else TEXT_FORMAT


def metrics_route(
    measurements: Measurements, *, path: str = "/metrics", allow: Allow | None = None,
    history: HistoryReader | None = None, backups: Path | None = None,
) -> Route:  # fmt: skip
    """The route. `allow` is asked first: what it returns is answered instead, None lets the request in.

    `history` and `backups` as for `exposition`.
    """

    async def metrics(request: Request) -> Response:
        refusal = await allow(request) if allow is not None else None
        if refusal is not None:
            return refusal
        accept = request.headers.get("accept", "")
        # In a thread: hundreds of routes take some milliseconds, in which other requests go on.
        body, media_type = await asyncio.to_thread(exposition, measurements, accept, history=history, backups=backups)
        return Response(body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

    return Route(path, metrics, methods=["GET"])


class Exports:
    """What a worker's sampler keeps for all to read: `Sampler(measurements, exports)`.

    `statements`, such as `database.statements`, gives the texts that the operations page shows. `register` takes further
    collectors of prometheus_client, such as `lambda registry: export_database(db, to=registry)`. Keys that `rules` denied the
    most are kept hashed with `salt`, that of `measurements.board`, so that all workers call a key the same.
    """

    def __init__(
        self,
        *register: Callable[[CollectorRegistry], object],
        rules: RuleSet | None = None,
        statements: Callable[[], Sequence[StatementStats]] | None = None,
        salt: bytes = b"",
    ) -> None:
        self._rules = rules
        self._salt = salt or token_bytes(16)
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
            # Moments at which counters of prometheus_client were made mean nothing when they are added up.
            samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield Family(
                metric.name, metric.type, metric.documentation,
                {(s.name, tuple(sorted(s.labels.items()))): float(s.value) for s in samples},
            )  # fmt: skip
        if self._statements is not None:
            texts = [(("fingerprint", s.fingerprint), ("text", s.text[:_TEXT])) for s in self._statements()[:_TEXTS]]
            yield Family("esteio_postgres_statement_text", TEXT, "", {("text", labels): 1.0 for labels in texts})
        if self._rules is not None:
            yield Family("esteio_limit_denied_keys", TEXT, "", dict(self._denied(self._rules)))

    def _denied(self, rules: RuleSet) -> Iterator[tuple[tuple[str, tuple[tuple[str, str], ...]], float]]:
        for name, counts in rules.counts().items():
            keys = counts.denied_keys.copy()  # a thread of WSGI may change it meanwhile
            for key in sorted(keys, key=keys.__getitem__, reverse=True)[:_KEYS]:
                hashed = blake2b(key.encode("utf-8", "replace"), digest_size=5, key=self._salt).hexdigest()
                yield ("denied", (("key", hashed), ("rule", name))), float(keys[key])


class _Rules(Collector):
    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules

    def collect(self) -> Iterator[Metric]:
        defined = DEFINITIONS["esteio_limit_decisions_total"]
        decisions = CounterMetricFamily(defined.family, defined.help, labels=defined.labels)
        for name, counts in self._rules.counts().items():
            for decision in ("allowed", "denied", "shadowed", "degraded"):
                decisions.add_metric([name, decision], getattr(counts, decision))
        yield decisions

    def describe(self) -> Iterator[Metric]:
        return iter(())


def _write_requests(page: Page, reading: Reading) -> None:
    series = sorted(reading.series.items())
    found = next((family for family in reading.families if family.kind == EXEMPLARS), None)
    page.histogram(
        DEFINITIONS["esteio_http_request_seconds"],
        {(key.method, key.route, key.outcome): latency for key, latency in series if key.kind == HTTP},
        exemplars(found) if found else None,
    )
    for kind, name in (
        (WEBSOCKET_HANDSHAKE, "esteio_websocket_handshake_seconds"),
        (WEBSOCKET, "esteio_websocket_seconds"),
    ):
        latencies = {(key.route, key.outcome): latency for key, latency in series if key.kind == kind}
        page.histogram(DEFINITIONS[name], latencies)
    page.histogram(DEFINITIONS["esteio_event_loop_lag_seconds"], {(): reading.total(LAG)})
    page.values(DEFINITIONS["esteio_http_requests_active"], {(): reading.active})
    open_ = sum(worker.websockets for worker in reading.workers)
    page.values(DEFINITIONS["esteio_websockets_active"], {(): open_})


def _write_workers(page: Page, reading: Reading) -> None:
    now = time.time()
    workers = [((str(worker.slot),), worker) for worker in reading.workers]
    page.values(DEFINITIONS["esteio_workers"], {(): len(workers)})
    for name, values in (
        ("esteio_worker_loop_lag_max_seconds", {slot: worker.lag for slot, worker in workers}),
        ("esteio_worker_silent_seconds", {slot: max(0.0, now - worker.updated) for slot, worker in workers}),
        ("esteio_worker_memory_bytes", {slot: worker.memory for slot, worker in workers}),
        ("esteio_worker_uptime_seconds", {slot: max(0.0, now - worker.started) for slot, worker in workers}),
        ("esteio_worker_cpu_seconds_total", {slot: worker.cpu_seconds for slot, worker in workers}),
    ):
        page.values(DEFINITIONS[name], values)
