"""A database's statistics as Prometheus metrics, read when scraped.

Metrics have a label `database`, and are named `esteio_postgres_<field>` for each number of `DatabaseStats`
(counters end in `_total`), `esteio_postgres_wait_seconds` for the histogram of waits for a connection, and
`esteio_postgres_statement_seconds` and `esteio_postgres_statement_errors_total` for each statement, with a
label `fingerprint`. Texts are no labels: `Database.statements()` has them. Needs the extra `prometheus`.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("prometheus"):
    import prometheus_client  # noqa: F401 - whether it is there
with needs("postgres"):
    import psycopg  # noqa: F401 - whether it is there

from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import REGISTRY as PROMETHEUS
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from esteio.postgres._database import Database
from esteio.postgres._histogram import BOUNDS, Times
from esteio.postgres.sync import SyncDatabase

__all__ = ["export_database"]

GAUGES = (
    "min_size", "max_size", "size", "idle", "in_use", "connecting", "waiting", "max_waiting", "overdue",
)  # fmt: skip
COUNTERS = (
    "acquired", "queued", "timeouts", "rejected", "connects", "connect_failures", "lost", "leaks",
    "failovers", "retried", "resolved_committed", "resolved_aborted", "unknown",
)  # fmt: skip
_HELP = "see the reference of esteio.postgres"
_PREFIX = "esteio_postgres_"


class _Database(Collector):
    def __init__(self, database: Database | SyncDatabase, statements: int | None) -> None:
        self._database = database
        self._most = statements

    def collect(self) -> Iterator[Metric]:
        labels = [self._database.name]
        stats = self._database.stats()
        for name in GAUGES:
            gauge = GaugeMetricFamily(_PREFIX + name, _HELP, labels=["database"])
            gauge.add_metric(labels, getattr(stats, name))
            yield gauge
        for name in COUNTERS:
            counter = CounterMetricFamily(_PREFIX + name, _HELP, labels=["database"])
            counter.add_metric(labels, getattr(stats, name))
            yield counter
        up = GaugeMetricFamily(_PREFIX + "up", "whether the server can be reached", labels=["database"])
        up.add_metric(labels, float(stats.down_for is None))
        yield up
        waits = HistogramMetricFamily(_PREFIX + "wait_seconds", _HELP, labels=["database"])
        waits.add_metric(labels, _cumulative(stats.waits), stats.waits.seconds)
        yield waits
        yield from self._statements()

    def _statements(self) -> Iterator[Metric]:
        kinds = ["database", "fingerprint"]
        seconds = HistogramMetricFamily(_PREFIX + "statement_seconds", _HELP, labels=kinds)
        errors = CounterMetricFamily(_PREFIX + "statement_errors", _HELP, labels=kinds)
        for statement in self._database.statements()[: self._most]:
            labels = [self._database.name, statement.fingerprint]
            seconds.add_metric(labels, _cumulative(statement.times), statement.times.seconds)
            errors.add_metric(labels, statement.errors)
        yield seconds
        yield errors

    def describe(self) -> Iterator[Metric]:
        return iter(())  # else registering would collect once for nothing


def _cumulative(times: Times) -> list[tuple[str, float]]:
    bounds = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
    return list(zip(bounds, map(float, accumulate(times.buckets)), strict=True))


def export_database(
    database: Database | SyncDatabase, to: CollectorRegistry = PROMETHEUS, *, statements: int | None = None
) -> Callable[[], None]:
    """Export `database` with each scrape; the returned function ends that. Names of databases must differ.

    Of its statements, only as many as `statements` says, those that took the most time in all.
    """
    collector = _Database(database, statements)
    to.register(collector)
    return lambda: to.unregister(collector)
