"""States of all pipelines as Prometheus metrics, read when scraped.

Metrics, each with labels `pipeline` and `policy` (its name): `esteio_policy_<kind>_<key>` for every number
of the snapshots (see the reference), and `esteio_policy_breaker_state` with a label `state`, 1 for the
state that holds. Needs the extra `prometheus`.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("prometheus"):
    import prometheus_client  # noqa: F401 - whether it is there

from collections.abc import Callable, Iterator

from prometheus_client import REGISTRY as PROMETHEUS
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from esteio.policy.breaker import CircuitState
from esteio.policy.pipeline._pipeline import REGISTRY, Registry

__all__ = ["export_policies"]


class _Pipelines(Collector):
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for pipeline in self._registry.snapshot():
            for policy in pipeline.policies:
                labels = [pipeline.name, policy.name]
                for key, value in policy.values.items():
                    name = f"esteio_policy_{policy.kind}_{key}"
                    if key == "state":
                        _add_states(families, name, labels, str(value))
                    elif isinstance(value, int | float):
                        _family(families, name, ["pipeline", "policy"]).add_metric(labels, float(value))
        yield from families.values()

    def describe(self) -> Iterator[Metric]:
        return iter(())  # names depend on the pipelines there are when scraped


def _family(families: dict[str, GaugeMetricFamily], name: str, labels: list[str]) -> GaugeMetricFamily:
    return families.setdefault(name, GaugeMetricFamily(name, "see the reference of esteio.policy", labels=labels))


def _add_states(families: dict[str, GaugeMetricFamily], name: str, labels: list[str], holds: str) -> None:
    family = _family(families, name, ["pipeline", "policy", "state"])
    for state in CircuitState:
        family.add_metric([*labels, state.value], float(state.value == holds))


def export_policies(registry: Registry = REGISTRY, to: CollectorRegistry = PROMETHEUS) -> Callable[[], None]:
    """Export the pipelines of `registry` with the next scrape; the returned function ends that."""
    collector = _Pipelines(registry)
    to.register(collector)
    return lambda: to.unregister(collector)
