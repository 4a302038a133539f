"""Numbers of all pipelines as Prometheus metrics, read when scraped.

Metrics have the labels `pipeline` and `policy` (its name): `esteio_policy_<kind>_<key>` for every number of the snapshots
- what only grows is a counter and ends in `_total` - and `esteio_policy_breaker_state` with a label `state`, 1 for the state
that holds. docs/reference/metrics.md has all of them. Needs the extra `prometheus`.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("prometheus"):
    import prometheus_client  # noqa: F401 - whether it is there

from collections.abc import Callable, Iterator

from prometheus_client import REGISTRY as PROMETHEUS
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from esteio.metrics import Metric as Definition
from esteio.metrics import of_group
from esteio.policy.breaker import CircuitState
from esteio.policy.pipeline._pipeline import REGISTRY, Registry

__all__ = ["export_policies"]

_DEFINED = of_group("esteio_policy_")
_STATE = "breaker_state"
_RENAMED = {"breaker_retry_after": "breaker_retry_after_seconds"}


class _Pipelines(Collector):
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for pipeline in self._registry.snapshot():
            for policy in pipeline.policies:
                labels = {"pipeline": pipeline.name, "policy": policy.name}
                for key, value in policy.values.items():
                    name = f"{policy.kind}_{key}"
                    definition = _DEFINED.get(_RENAMED.get(name, name))
                    if definition is None:  # a policy of somebody else's
                        continue
                    if name == _STATE:
                        _add_states(_family(families, definition), labels, str(value))
                    elif isinstance(value, int | float):
                        _family(families, definition).add_sample(definition.name, labels, float(value))
        yield from families.values()

    def describe(self) -> Iterator[Metric]:
        return iter(())  # names depend on the pipelines there are when scraped


def _family(families: dict[str, Metric], definition: Definition) -> Metric:
    if (known := families.get(definition.name)) is not None:
        return known
    kind = CounterMetricFamily if definition.kind == "counter" else GaugeMetricFamily
    made = families[definition.name] = kind(definition.family, definition.help, labels=definition.labels)
    return made


def _add_states(family: Metric, labels: dict[str, str], holds: str) -> None:
    for state in CircuitState:
        family.add_sample(family.name, {**labels, "state": state.value}, float(state.value == holds))


def export_policies(registry: Registry = REGISTRY, to: CollectorRegistry = PROMETHEUS) -> Callable[[], None]:
    """Export the pipelines of `registry` with the next scrape; the returned function ends that."""
    collector = _Pipelines(registry)
    to.register(collector)
    return lambda: to.unregister(collector)
