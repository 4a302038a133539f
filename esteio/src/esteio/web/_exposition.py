"""Prometheus' text format 0.0.4 and OpenMetrics 1.0, as text, without a registry.

Promises: what prometheus_client's parsers read back is what was given (a test compares). Histograms of ours are written
straight from their counts: through samples of prometheus_client it took ten times as long. Exemplars are in OpenMetrics only,
the one format that has them. Formats: prometheus.io/docs/instrumenting/exposition_formats; OpenMetrics, RFC draft
richih-opsawg-openmetrics-00.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from esteio.health.series import Family, Key, Latency
from esteio.metrics import Metric

__all__ = ["BOUNDS", "EXEMPLARS", "OPEN_METRICS", "TEXT", "Exemplar", "Page", "exemplars"]

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
BOUNDS = tuple(2.0**power for power in range(-8, 4))
"""Upper bounds of the histograms' buckets in seconds: from 3.9 ms to 8 s."""
EXEMPLARS = "exemplars"
"""The kind of a family that is no metric: workers tell each other of exemplars by it."""
_LE = (*(str(bound) for bound in BOUNDS), "+Inf")
_WHOLE = 2.0**53  # above it not every whole number is a float
_IN_TEXT = {"unknown": "untyped", "info": "gauge", "stateset": "gauge", "gaugehistogram": "histogram"}

Labels = Iterable[tuple[str, str]]
L = TypeVar("L", bound=Sequence[str])


class Exemplar(NamedTuple):
    """One request that a bucket counted: its name under `label`, its `seconds`, and when it ended, Unix seconds."""

    label: str
    name: str
    seconds: float
    at: float

    def __str__(self) -> str:
        return f' # {{{self.label}="{_escaped(self.name)}"}} {_number(self.seconds)} {self.at:.3f}'

    def packed(self, series: Key, bound: int) -> tuple[str, tuple[tuple[str, str], ...]]:
        """As the key of a sample: of `series`, in the bucket number `bound` of `BOUNDS`."""
        place = (("method", series.method), ("route", series.route), ("outcome", series.outcome), ("le", _LE[bound]))
        return self.label, (*place, ("name", self.name), ("at", f"{self.at:.3f}"))


Exemplars = Mapping[tuple[Sequence[str], str], Exemplar]


def exemplars(family: Family) -> Exemplars:
    """From samples; of several workers' for one bucket the newest."""
    found: dict[tuple[Sequence[str], str], Exemplar] = {}
    for (label, labels), seconds in family.samples.items():
        given = dict(labels)
        key = ((given["method"], given["route"], given["outcome"]), given["le"])
        exemplar = Exemplar(label, given["name"], seconds, float(given["at"]))
        if key not in found or found[key].at < exemplar.at:
            found[key] = exemplar
    return found


class Page:
    """Write metrics one after the other, then take the `whole`."""

    def __init__(self, *, openmetrics: bool) -> None:
        self._open = openmetrics
        self._lines: list[str] = []

    def values(self, metric: Metric, values: Mapping[L, float]) -> None:
        """A counter or gauge: its value for each combination of the values of its labels."""
        self._head(metric.family, metric.kind, metric.help)
        for labels, value in values.items():
            shown = _shown(zip(metric.labels, labels, strict=True))
            self._lines.append(
                f"{metric.name}{{{shown}}} {_number(value)}\n" if shown else f"{metric.name} {_number(value)}\n"
            )

    def histogram(self, metric: Metric, values: Mapping[L, Latency], exemplars: Exemplars | None = None) -> None:
        """A histogram: its counts for each combination of the values of its labels; `exemplars` by these and the bound."""
        self._head(metric.name, "histogram", metric.help)
        exemplars = exemplars if exemplars and self._open else {}
        name, append = metric.name, self._lines.append
        for labels, latency in values.items():
            shown = _shown(zip(metric.labels, labels, strict=True))
            before = f"{shown}," if shown else ""
            counts = (*latency.up_to(BOUNDS), latency.count)
            for bound, count in zip(_LE, counts, strict=True):
                exemplar = exemplars.get((labels, bound), "") if exemplars else ""
                append(f'{name}_bucket{{{before}le="{bound}"}} {count}{exemplar}\n')
            append(f"{name}_count{{{shown}}} {counts[-1]}\n{name}_sum{{{shown}}} {_number(latency.seconds)}\n")

    def family(self, family: Family) -> None:
        """What a collector gave, as it gave it."""
        self._head(family.name, family.kind, family.help)
        for (name, labels), value in family.samples.items():
            self._lines.append(f"{name}{{{_shown(labels)}}} {_number(value)}\n")

    def whole(self) -> bytes:
        """The page."""
        return ("".join(self._lines) + ("# EOF\n" if self._open else "")).encode()

    def _head(self, family: str, kind: str, text: str) -> None:
        if not self._open:  # there a counter is called as its samples are
            family += {"counter": "_total", "info": "_info"}.get(kind, "")
            kind = _IN_TEXT.get(kind, kind)
        shown = text.replace("\\", r"\\").replace("\n", r"\n")
        shown = shown.replace('"', r"\"") if self._open else shown
        self._lines.append(f"# HELP {family} {shown}\n# TYPE {family} {kind}\n")


def _shown(labels: Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if value == value and abs(value) < _WHOLE and value == int(value):
        return str(int(value))
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(shown := repr(float(value)), shown)
