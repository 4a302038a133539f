"""A dashboard for Grafana, made from the same definitions as the metrics. `esteio metrics dashboard`.

Promises: pure; every panel asks only for metrics of `esteio.metrics`. It works with any data source of the kind prometheus and
any job, chosen on the page, and needs no recording rule. The form is that of Grafana's dashboard kind, schemaVersion 39.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from esteio.metrics._definitions import GROUPS

__all__ = ["PANELS", "Panel", "dashboard_file"]

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_HERE = 'job="$job",instance=~"$instance"'
_WIDTH, _HEIGHT = 24, 8
_LINE = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": False}


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart, or with `stat` one number: `asks` are expressions by their legend, `HERE` in them the chosen instances."""

    group: str
    title: str
    asks: Mapping[str, str]
    unit: str = "short"
    width: int = 8
    stat: bool = False
    steps: Sequence[tuple[str, float]] = ()
    """Colours and from where on they hold; green below."""


def _rate(metric: str, more: str = "", by: str = "") -> str:
    inside = f"HERE,{more}" if more else "HERE"
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{inside}}}[$__rate_interval]))"


def _quantile(part: str) -> str:
    return f"histogram_quantile({part}, {_rate('esteio_http_request_seconds_bucket', _COUNTED, 'le')})"


_COUNTED, _FAILED = 'outcome!="cancelled"', 'outcome="5xx"'
_REQUESTS = "esteio_http_request_seconds_count"

PANELS: Sequence[Panel] = (
    Panel("http", "Requests", {"{{outcome}}": _rate(_REQUESTS, by="outcome")}, "reqps"),
    Panel(
        "http", "Errors",
        {"share of 5xx": f"({_rate(_REQUESTS, _FAILED)} or vector(0)) / {_rate(_REQUESTS, _COUNTED)}"},
        "percentunit", steps=(("orange", 0.01), ("red", 0.05)),
    ),
    Panel("http", "Time", {f"p{part}": _quantile(f"0.{part}") for part in ("50", "95", "99")}, "s"),
    Panel(
        "http", "Slowest routes",
        {"{{route}}": f"topk(10, {_rate('esteio_http_request_seconds_sum', by='route')} / {_rate(_REQUESTS, by='route')})"},
        "s", 12,
    ),
    Panel("http", "Being answered", {"{{instance}}": "sum by (instance) (esteio_http_requests_active{HERE})"}, width=12),
    Panel("websocket", "Open", {"{{instance}}": "sum by (instance) (esteio_websockets_active{HERE})"}),
    Panel("websocket", "Opened", {"{{outcome}}": _rate("esteio_websocket_handshake_seconds_count", by="outcome")}, "ops"),
    Panel("websocket", "Closed", {"{{code}}": _rate("esteio_websocket_seconds_count", by="code")}, "ops"),
    Panel("worker", "Workers", {"{{instance}}": "esteio_workers{HERE}"}, stat=True, width=4, steps=(("green", 1),)),
    Panel(
        "worker", "Memory", {"{{instance}} {{worker}}": "esteio_worker_memory_bytes{HERE}"}, "bytes", 7,
        steps=(("red", 400e6),),
    ),
    Panel(
        "worker", "Processor",
        {"{{instance}} {{worker}}": "rate(esteio_worker_cpu_seconds_total{HERE}[$__rate_interval])"}, "percentunit", 7,
        steps=(("red", 0.8),),
    ),
    Panel("worker", "Event loop late", {"{{instance}} {{worker}}": "esteio_worker_loop_lag_max_seconds{HERE}"}, "s", 6),
    Panel(
        "limit", "Decisions", {"{{rule}} {{decision}}": _rate("esteio_limit_decisions_total", by="rule, decision")}, "ops", 12
    ),
    Panel(
        "limit", "Decided without Redis",
        {"{{rule}}": _rate("esteio_limit_decisions_total", 'decision="degraded"', "rule")}, "ops", 12,
        steps=(("orange", 0.001),),
    ),
    Panel(
        "shedding", "Refused, by level",
        {"{{level}}": _rate("esteio_shedding_requests_total", 'decision="refused"', "level")}, "ops", 12,
        steps=(("orange", 0.001),),
    ),
    Panel(
        "shedding", "In flight, and how many may be",
        {
            "{{instance}} running": "sum by (instance) (esteio_shedding_running{HERE})",
            "{{instance}} limit": "sum by (instance) (esteio_shedding_limit{HERE})",
        },
        width=12,
    ),
    Panel(
        "policy", "Open circuits",
        {"{{pipeline}}": 'sum by (pipeline) (esteio_policy_breaker_state{HERE,state=~"open|half-open|forced open"})'},
        steps=(("red", 1),),
    ),
    Panel(
        "policy", "Calls through circuits",
        {
            "{{pipeline}} passed": _rate("esteio_policy_breaker_passed_total", by="pipeline"),
            "{{pipeline}} failed": _rate("esteio_policy_breaker_failed_total", by="pipeline"),
            "{{pipeline}} rejected": _rate("esteio_policy_breaker_rejected_total", by="pipeline"),
        },
        "ops",
    ),
    Panel(
        "policy", "Retries",
        {
            "{{pipeline}}": _rate("esteio_policy_retry_retries_total", by="pipeline"),
            "{{pipeline}} refused": _rate("esteio_policy_retry_refused_total", by="pipeline"),
        },
        "ops",
    ),
    Panel(
        "postgres", "Reached", {"{{database}} {{instance}}": "esteio_postgres_up{HERE}"}, stat=True, width=4,
        steps=(("green", 1),),
    ),
    Panel(
        "postgres", "Connections",
        {key: f"sum(esteio_postgres_{key}{{HERE}})" for key in ("in_use", "idle", "waiting", "max_size")}, width=10,
    ),
    Panel(
        "postgres", "Waits for a connection, p99",
        {"{{database}}": f'histogram_quantile(0.99, {_rate("esteio_postgres_wait_seconds_bucket", by="database, le")})'},
        "s", 10,
    ),
    Panel(
        "postgres", "Statements by time",
        {"{{fingerprint}}": f"topk(10, {_rate('esteio_postgres_statement_seconds_sum', by='fingerprint')})"}, "s", 12,
    ),
    Panel(
        "postgres", "What went wrong",
        {
            key: _rate(f"esteio_postgres_{key}_total")
            for key in ("timeouts", "rejected", "connect_failures", "lost", "leaks", "retried", "unknown")
        },
        "ops", 12,
    ),
    Panel(
        "check", "Down, degraded or unknown",
        {"{{check}} {{state}}": 'esteio_check_state{HERE,state=~"down|degraded|unknown"} == 1'}, width=12,
        steps=(("orange", 1),),
    ),
    Panel("check", "Observed", {"{{check}}": "esteio_check_value{HERE}"}, width=12),
    Panel(
        "backup", "Age of the newest backup", {"{{instance}}": "esteio_backup_newest_age_seconds{HERE}"}, "s", 6, stat=True,
        steps=(("red", 26 * 3600.0),),
    ),
    Panel(
        "backup", "Age of the newest proven backup", {"{{instance}}": "esteio_backup_proven_age_seconds{HERE}"}, "s", 6,
        stat=True, steps=(("red", 26 * 3600.0),),
    ),
    Panel("backup", "Problems", {"{{instance}}": "esteio_backup_problems{HERE}"}, width=6, stat=True, steps=(("red", 1),)),
    Panel("backup", "WAL that is not archived", {"{{instance}}": "esteio_backup_wal_lag_bytes{HERE}"}, "bytes", 6),
)  # fmt: skip


def dashboard_file(title: str = "Esteio", *, uid: str = "esteio") -> str:
    """A file for Grafana's import, or for its provisioning."""
    document = {
        "uid": uid,
        "title": title,
        "tags": ["esteio"],
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "annotations": {"list": []},
        "templating": {"list": [_source(), _choice("job", "label_values(esteio_workers, job)"), _instances()]},
        "panels": list(_panels()),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _source() -> dict[str, Any]:
    return {"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus"}


def _instances() -> dict[str, Any]:
    chosen = _choice("instance", 'label_values(esteio_workers{job="$job"}, instance)')
    return {**chosen, "multi": True, "includeAll": True, "allValue": ".*"}


def _choice(name: str, query: str) -> dict[str, Any]:
    return {"name": name, "label": name.title(), "type": "query", "datasource": _SOURCE, "query": query, "refresh": 2}


def _panels() -> Iterator[dict[str, Any]]:
    number, top = 0, 0
    for group, title in GROUPS.items():
        number += 1
        row = {"h": 1, "w": _WIDTH, "x": 0, "y": top}
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": row, "panels": []}
        top, left = top + 1, 0
        for panel in (each for each in PANELS if each.group == group):
            if left + panel.width > _WIDTH:
                top, left = top + _HEIGHT, 0
            number += 1
            yield _panel(panel, number, {"h": _HEIGHT, "w": panel.width, "x": left, "y": top})
            left += panel.width
        top += _HEIGHT


def _panel(panel: Panel, number: int, place: Mapping[str, int]) -> dict[str, Any]:
    targets = [
        {
            "refId": chr(ord("A") + at),
            "datasource": _SOURCE,
            "expr": expression.replace("HERE", _HERE),
            "legendFormat": legend,
        }
        for at, (legend, expression) in enumerate(panel.asks.items())
    ]
    first = "red" if panel.steps and panel.steps[0][0] == "green" else "green"
    steps = [{"color": first, "value": None}, *({"color": color, "value": value} for color, value in panel.steps)]
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    if not panel.stat:
        defaults["custom"] = _LINE | ({"thresholdsStyle": {"mode": "line"}} if panel.steps else {})
    return {
        "id": number,
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": dict(place),
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(stat=panel.stat),
        "targets": targets,
    }


def _options(*, stat: bool) -> dict[str, Any]:
    if stat:
        return {"reduceOptions": {"calcs": ["lastNotNull"], "values": False}, "colorMode": "value", "graphMode": "area"}
    legend = {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
