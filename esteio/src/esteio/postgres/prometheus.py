"""A database's statistics as Prometheus metrics, read when scraped.

Metrics have a label `database`, and are named `esteio_postgres_<field>` for each number of `DatabaseStats`
(counters end in `_total`), `esteio_postgres_wait_seconds` for the histogram of waits for a connection, and
`esteio_postgres_statement_seconds` and `esteio_postgres_statement_errors_total` for each statement, with a
label `fingerprint`. Texts are no labels: `Database.statements()` has them. docs/reference/metrics.md has all of them.
Needs the extra `prometheus`.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("prometheus"):
    import prometheus_client  # noqa: F401 - whether it is there
with needs("postgres"):
    import psycopg  # noqa: F401 - whether it is there

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from itertools import accumulate

from prometheus_client import REGISTRY as PROMETHEUS
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from esteio.metrics import of_group
from esteio.postgres._database import Database
from esteio.postgres._histogram import BOUNDS, Times
from esteio.postgres._statements import StatementStats
from esteio.postgres._stats import DatabaseStats
from esteio.postgres.sync import SyncDatabase

__all__ = ["export_database"]

_DEFINED = of_group("esteio_postgres_")
_NUMBERS = {
    each.name: found
    for each in fields(DatabaseStats)
    if (found := _DEFINED.get(each.name)) is not None and found.kind != "histogram"
}
_UP, _WAITS = _DEFINED["up"], _DEFINED["wait_seconds"]
_SECONDS, _ERRORS = _DEFINED["statement_seconds"], _DEFINED["statement_errors"]


class _Database(Collector):
    def __init__(self, database: Database | SyncDatabase, statements: int | None) -> None:
        self._database = database
        self._most = statements
        self._shown: set[str] = set()

    def collect(self) -> Iterator[Metric]:
        labels = [self._database.name]
        stats = self._database.stats()
        for field, definition in _NUMBERS.items():
            kind = CounterMetricFamily if definition.kind == "counter" else GaugeMetricFamily
            family = kind(definition.family, definition.help, labels=["database"])
            family.add_metric(labels, getattr(stats, field))
            yield family
        up = GaugeMetricFamily(_UP.name, _UP.help, labels=["database"])
        up.add_metric(labels, float(stats.down_for is None))
        yield up
        waits = HistogramMetricFamily(_WAITS.name, _WAITS.help, labels=["database"])
        waits.add_metric(labels, _cumulative(stats.waits), stats.waits.seconds)
        yield waits
        yield from self._statements()

    def _statements(self) -> Iterator[Metric]:
        seconds = HistogramMetricFamily(_SECONDS.name, _SECONDS.help, labels=_SECONDS.labels)
        errors = CounterMetricFamily(_ERRORS.family, _ERRORS.help, labels=_ERRORS.labels)
        for statement in self._chosen(self._database.statements()):
            labels = [self._database.name, statement.fingerprint]
            seconds.add_metric(labels, _cumulative(statement.times), statement.times.seconds)
            errors.add_metric(labels, statement.errors)
        yield seconds
        yield errors

    def _chosen(self, statements: Sequence[StatementStats]) -> Sequence[StatementStats]:
        """Those that were exported once, and the most expensive others while there is room for twice as many as wanted.

        A counter that left whenever another statement became more expensive would seem to go back.
        """
        if self._most is None:
            return statements
        room = 2 * self._most - len(self._shown)
        fresh = [each.fingerprint for each in statements[: self._most] if each.fingerprint not in self._shown]
        self._shown.update(fresh[:room])
        return [each for each in statements if each.fingerprint in self._shown]

    def describe(self) -> Iterator[Metric]:
        return iter(())  # else registering would collect once for nothing


def _cumulative(times: Times) -> list[tuple[str, float]]:
    bounds = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
    return list(zip(bounds, map(float, accumulate(times.buckets)), strict=True))


def export_database(
    database: Database | SyncDatabase, to: CollectorRegistry = PROMETHEUS, *, statements: int | None = None
) -> Callable[[], None]:
    """Export `database` with each scrape; the returned function ends that. Names of databases must differ.

    Of its statements, those that take the most time in all: as many as `statements` says, and as many again that have
    taken their places; None: all.
    """
    collector = _Database(database, statements)
    to.register(collector)
    return lambda: to.unregister(collector)
