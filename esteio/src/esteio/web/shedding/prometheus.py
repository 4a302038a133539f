"""What load shedding does, for prometheus_client. Needs the extra `prometheus`."""

from __future__ import annotations

from esteio.extras import needs

with needs("prometheus"):
    import prometheus_client  # noqa: F401 - whether it is there

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from esteio.metrics import DEFINITIONS
from esteio.web.shedding._admission import Admission

__all__ = ["export_shedding"]


def export_shedding(admission: Admission, *, to: CollectorRegistry) -> None:
    """Export what `admission` counts with each scrape.

    In a supervised service: `Exports(lambda registry: export_shedding(admission, to=registry))`.
    """
    to.register(_Shedding(admission))


class _Shedding(Collector):
    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    def collect(self) -> Iterator[Metric]:
        admission = self._admission
        for name in ("limit", "running", "waiting"):
            defined = DEFINITIONS[f"esteio_shedding_{name}"]
            yield GaugeMetricFamily(defined.family, defined.help, value=getattr(admission, name))
        defined = DEFINITIONS["esteio_shedding_requests_total"]
        requests = CounterMetricFamily(defined.family, defined.help, labels=defined.labels)
        for level, counts in zip(admission.levels, admission.counts, strict=True):
            requests.add_metric([level.name, "admitted"], counts.admitted)
            requests.add_metric([level.name, "refused"], counts.refused)
        yield requests

    def describe(self) -> Iterator[Metric]:
        return iter(())
