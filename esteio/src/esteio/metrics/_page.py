"""The reference page of the metrics, docs/reference/metrics.md, made from their definitions: `make docs`."""

from __future__ import annotations

from esteio.metrics._definitions import DEFINITIONS, GROUPS, Metric

__all__ = ["reference_page"]

_HEAD = """# Reference: metrics

What [`/metrics`](health.md#metrics-for-prometheus) has, made from the definitions in `esteio.metrics` by `make docs`. Times
are seconds, sizes bytes; what has no unit in its name counts things. Numbers are of all workers of the host that answers:
counters and histograms of all there ever were in this life of the service, gauges added up over those that live. Labels are
bounded: `route` is a template or `(none)`, `worker` the number of a slot (a new worker takes the one of a dead one),
`fingerprint` that of a statement, `outcome` of a request `1xx` to `5xx`, or `cancelled`: the client left, or the server
ended, before the answer was whole.
"""
_TAILS = {
    "http": """
In OpenMetrics, buckets carry the newest request as an exemplar: its `trace_id` where it was traced, else its `request_id`,
which the logs have.
""",
    "websocket": """
`outcome` is `accepted`, `refused`, `error` or `cancelled`; `code` one of RFC 6455 (1006: no close frame), `3xxx`, `4xxx`,
`other`, or `cancelled`: the server ended.
""",
    "policy": """
`policy` is its name, `pipeline` that of its pipeline; `state` is closed, open, half-open, forced open, disabled or metrics
only.
""",
    "check": """
From what a `HostMonitor` wrote last, at most a minute ago; when it is silent for three, every state is unknown.
""",
    "backup": """
From the file of `backup agent`, where `/metrics` is given it. What there is nothing to tell of is absent.
""",
}


_TAIL = """
## esteio.metrics

In the core, no extra; pure.

| name | what it is |
|---|---|
| `DEFINITIONS` | each `Metric` by its name: `name`, `kind`, `help`, `group`, `labels`, `merge` (how a gauge of several workers becomes one), `family` (its name without `_total`) |
| `of_family(name)`, `of_group(prefix)` | the metric of a family, None when there is none; those whose name begins with `prefix`, by the rest of it |
| `dashboard_file(title="Esteio", uid="esteio")` | a dashboard for Grafana, JSON: what `esteio metrics dashboard` prints |
| `rules_file(job="esteio", thresholds=Thresholds(), words={})` | recording and alerting rules for Prometheus, YAML: what `esteio metrics rules` prints; `words` has summaries and remedies by the names of alerts, in another language |
| `Thresholds(objective=99.9, memory_bytes=400e6, ...)`, `THRESHOLDS` | what the checks, the alerts of `esteio.alert` and these rules compare with; the defaults |
| `PACES`, `BURN_WINDOWS` | a `Pace` for each alert that both know: its names, how urgent it is, how long it has to be bad; a `BurnWindow` for each window of a burned budget |
| `reference_page()` | this page |
"""  # noqa: E501 - a row of a table is a line


def reference_page() -> str:
    """The page."""
    return _HEAD + "".join(_group(group, title) for group, title in GROUPS.items()) + _TAIL


def _group(group: str, title: str) -> str:
    rows = "".join(_row(metric) for metric in DEFINITIONS.values() if metric.group == group)
    tail = _TAILS.get(group)
    return f"\n## {title}\n\n| metric | kind | labels | what it is |\n|---|---|---|---|\n{rows}" + (
        f"\n{tail}" if tail else ""
    )


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "-"
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |\n"
