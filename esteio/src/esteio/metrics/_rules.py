"""Prometheus rules for a service: recording rules, and alerts that say what to do. `esteio metrics rules`.

Promises: pure; every expression asks only for metrics of `esteio.metrics`, for `up`, and for what is recorded here. Pages are
for a person who gets up now, tickets for a working day. A page about burned budget needs the lower bound of the error rate
above its threshold, not the rate: at 60 requests an hour one failure is 1.7 % and no evidence.

Sources: burn rates and windows: Google SRE workbook, "Alerting on SLOs", as Sloth has them for 30 days. Lower bound: of k
failures, k (1 - 1/(9k) - z/(3 sqrt k))^3 of them at least, one-sided 95 %: Byar's approximation of the exact one of Poisson's
distribution (Breslow and Day, Statistical Methods in Cancer Research II, 1987), which for rare failures is that of Clopper and
Pearson; Wilson's interval lies far above it for one failure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from esteio.metrics._thresholds import BURN_WINDOWS, PACES, THRESHOLDS, Thresholds

__all__ = ["Alert", "Record", "alerting_rules", "recording_rules", "rules_file"]

_Z = 1.645
_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
_GUARDED = ("5m", "1h", "6h", "1d", "3d")  # the long windows, and the five minutes of the guide's 5 %


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule: `expression` has held for `lasting`."""

    name: str
    expression: str
    lasting: str
    severity: str
    summary: str
    remedy: str


def recording_rules(job: str) -> Iterator[Record]:
    """Rates and shares that alerts and panels use. A service without requests has a rate of 0, and no error ratio."""
    requests = f'esteio_http_request_seconds_count{{job="{job}",outcome!="cancelled"}}'
    failed = f'esteio_http_request_seconds_count{{job="{job}",outcome="5xx"}}'
    for window in _WINDOWS:
        yield Record(f"esteio:requests:rate{window}", f"sum(rate({requests}[{window}]))")
        errors = f"(sum(rate({failed}[{window}])) or vector(0))"
        yield Record(f"esteio:errors:ratio{window}", f"{errors} / (sum(rate({requests}[{window}])) > 0)")
    for window in _GUARDED:
        ratio = f'esteio:errors:ratio{window}{{job="{job}"}}'
        failures = f'({ratio} * esteio:requests:rate{window}{{job="{job}"}} * {_seconds(window)} > 0)'
        yield Record(
            f"esteio:errors:lower_bound{window}",
            f"{ratio} * (1 - 1 / (9 * {failures}) - {_Z} / (3 * sqrt({failures}))) ^ 3",
        )
    for part in ("0.5", "0.95", "0.99"):
        yield Record(
            f"esteio:request_seconds:p{part[2:].ljust(2, '0')}",
            f"histogram_quantile({part}, sum by (le) (rate("
            f'esteio_http_request_seconds_bucket{{job="{job}",outcome!="cancelled"}}[5m])))',
        )


def alerting_rules(job: str, thresholds: Thresholds) -> Iterator[Alert]:
    """All alerts."""
    here = f'{{job="{job}"}}'
    yield from _of_absence(job, here)
    yield from _of_burned_budget(job, thresholds)
    yield from _of_the_guide(job, here, thresholds)
    yield from _of_dependencies(job, here)
    yield from _of_checks(job, here, thresholds)
    yield from _of_backups(here, thresholds)


def _of_absence(job: str, here: str) -> Iterator[Alert]:
    yield Alert(
        "EsteioAbsent", f'absent(up{{job="{job}"}} == 1)', "1m", "page",
        "No instance of {{ $labels.job }} can be scraped",
        "See whether it runs and answers /metrics with the token of this Prometheus; users may see nothing at all.",
    )  # fmt: skip
    yield Alert(
        "EsteioInstanceDown", f"up{here} == 0", "2m", "ticket",
        "{{ $labels.instance }} can't be scraped", "See whether it runs; the others serve meanwhile, if there are any.",
    )  # fmt: skip
    yield Alert(
        "EsteioMeasurementsAbsent", f"(up{here} == 1) unless on (instance) esteio_workers{here}", "5m", "ticket",
        "{{ $labels.instance }} answers without a number of its workers",
        "Has /metrics another address? Then every other alert about it is silent.",
    )  # fmt: skip
    yield Alert(
        "EsteioNoWorkers", f"esteio_workers{here} == 0", "1m", "page",
        "{{ $labels.instance }} has no worker", "See the supervisor's log: why do its workers end?",
    )  # fmt: skip
    yield Alert(
        "EsteioWorkerSilent", f"esteio_worker_silent_seconds{here} > 30", "1m", "page",
        "Worker {{ $labels.worker }} of {{ $labels.instance }} has stood still for {{ $value | humanizeDuration }}",
        "A blocking call, or a stopped process; the supervisor replaces it if it is set to.",
    )  # fmt: skip


def _of_burned_budget(job: str, thresholds: Thresholds) -> Iterator[Alert]:
    budget = (100 - thresholds.objective) / 100
    for window in BURN_WINDOWS:
        threshold, short = f"{window.factor:g} * {budget:.6g}", _written(window.short)
        yield Alert(
            f"EsteioErrorBudgetBurn{window.name}",
            f'(esteio:errors:lower_bound{window.name}{{job="{job}"}} > {threshold})'
            f' and (esteio:errors:ratio{short}{{job="{job}"}} > {threshold})',
            "2m" if window.severity == "page" else "15m", window.severity,
            f"{{{{ $labels.job }}}} burns its error budget {window.factor:g} times as fast as it lasts:"
            f" {100 * window.spent:g} % of it in {window.name}",
            "See which routes answer 5xx, and what was deployed or broke when it began.",
        )  # fmt: skip


def _of_the_guide(job: str, here: str, thresholds: Thresholds) -> Iterator[Alert]:
    yield Alert(
        *_paced("requests:errors", f'esteio:errors:lower_bound5m{{job="{job}"}} > {thresholds.errors:g}'),
        "{{ $labels.job }}: at least {{ $value | humanizePercentage }} of the requests fail",
        "See which routes answer 5xx, and the log of the same moment.",
    )  # fmt: skip
    yield Alert(
        *_paced("memory:high", f"esteio_worker_memory_bytes{here} > {thresholds.memory_bytes:.0f}"),
        "Worker {{ $labels.worker }} of {{ $labels.instance }} holds {{ $value | humanize1024 }}B",
        "Does it grow without end? A reload replaces it without losing a request.",
    )  # fmt: skip
    yield Alert(
        *_paced("cpu:high", f"rate(esteio_worker_cpu_seconds_total{here}[5m]) > {thresholds.cpu:g}"),
        "Worker {{ $labels.worker }} of {{ $labels.instance }} uses {{ $value | humanizePercentage }} of a processor",
        "More workers, or find what computes.",
    )  # fmt: skip
    yield Alert(
        "EsteioEventLoopLate", f"esteio_worker_loop_lag_max_seconds{here} > 1", "2m", "ticket",
        "The event loop of worker {{ $labels.worker }} of {{ $labels.instance }} is {{ $value | humanizeDuration }} late",
        "Something blocks it: every request of that worker waits.",
    )  # fmt: skip
    yield Alert(
        *_paced(
            "postgres:slow",
            f'esteio_check_value{{job="{job}",check=~"postgres:.+"}} > {1000 * thresholds.database_seconds:g}',
        ),
        "A round trip to the database takes {{ $value | humanize }} ms",
        "See its load, its locks (pg_stat_activity) and its disk.",
    )  # fmt: skip


def _of_dependencies(job: str, here: str) -> Iterator[Alert]:
    yield Alert(
        *_paced(
            "circuit:open",
            f'sum by (instance, pipeline, policy) (esteio_policy_breaker_state{{job="{job}",state="open"}}) > 0',
        ),
        "The circuit {{ $labels.policy }} is open in {{ $value }} workers of {{ $labels.instance }}",
        "What it calls fails; it tries again by itself. See that service.",
    )  # fmt: skip
    yield Alert(
        "EsteioCircuitForced",
        "sum by (instance, pipeline, policy)"
        f' (esteio_policy_breaker_state{{job="{job}",state=~"forced open|disabled"}}) > 0', "1h", "ticket",
        "Somebody holds the circuit {{ $labels.policy }} of {{ $labels.instance }} open or disabled", "Reset it when done.",
    )  # fmt: skip
    yield Alert(
        "EsteioRetriesRefused", f"rate(esteio_policy_retry_refused_total{here}[5m]) > 0", "10m", "ticket",
        "Retries of {{ $labels.pipeline }} are refused by their budget", "What it calls fails for most callers.",
    )  # fmt: skip
    yield Alert(
        *_paced("postgres:down", f"esteio_postgres_up{here} == 0"),
        "Workers of {{ $labels.instance }} do not reach the database {{ $labels.database }}",
        "Start it, or see the network between; the pool reconnects by itself.",
    )  # fmt: skip
    yield Alert(
        "EsteioPoolExhausted",
        f"rate(esteio_postgres_timeouts_total{here}[5m]) + rate(esteio_postgres_rejected_total{here}[5m]) > 0",
        "5m", "ticket",
        "Requests of {{ $labels.instance }} wait in vain for a connection to {{ $labels.database }}",
        "See slow statements and held transactions first, connection_limit then.",
    )  # fmt: skip
    yield Alert(
        "EsteioCommitUnknown", f"increase(esteio_postgres_unknown_total{here}[15m]) > 0", "0m", "ticket",
        "Of {{ $value | humanize }} commits to {{ $labels.database }} nobody can tell whether they are there",
        "The log names them; look them up.",
    )  # fmt: skip
    yield Alert(
        "EsteioLimitsDegraded", f'rate(esteio_limit_decisions_total{{job="{job}",decision="degraded"}}[5m]) > 0', "5m",
        "ticket", "The limit {{ $labels.rule }} of {{ $labels.instance }} is decided without Redis",
        "See Redis; until then each process counts for itself.",
    )  # fmt: skip


def _of_checks(job: str, here: str, thresholds: Thresholds) -> Iterator[Alert]:
    yield Alert(
        "EsteioChecksSilent", f"esteio_check_silent_seconds{here} > 180", "1m", "ticket",
        "Nobody has looked at the checks of {{ $labels.instance }} for {{ $value | humanizeDuration }}",
        "Does the operator beside the workers run? Until then nobody knows about disk, certificate and clock.",
    )  # fmt: skip
    state = 'esteio_check_state{{job="{job}",check!="service",state="{state}"}} == 1'
    yield Alert(
        "EsteioCheckDown", state.format(job=job, state="down"), "1m", "page",
        "{{ $labels.check }} of {{ $labels.instance }} is down", "The operations page has the reason.",
    )  # fmt: skip
    yield Alert(
        "EsteioCheckDegraded", state.format(job=job, state="degraded"), "10m", "ticket",
        "{{ $labels.check }} of {{ $labels.instance }} is degraded", "The operations page has the reason.",
    )  # fmt: skip
    value = 'esteio_check_value{{job="{job}",check=~"{check}"}} < {most}'
    for alert, percent in (("disk:full", thresholds.disk_full), ("disk:low", thresholds.disk_low)):
        yield Alert(
            *_paced(alert, value.format(job=job, check="disk:.+", most=f"{percent:g}")),
            "{{ $labels.check }} of {{ $labels.instance }}: {{ $value | humanize }} % of the disk is free",
            "Make room: a database without disk stops.",
        )  # fmt: skip
    for alert, days in (
        ("tls:certificate", thresholds.certificate_days), ("tls:refused", thresholds.certificate_last_days),
    ):  # fmt: skip
        yield Alert(
            *_paced(alert, value.format(job=job, check="tls:.+", most=f"{days:g}")),
            "{{ $labels.check }} of {{ $labels.instance }}: the certificate is valid for {{ $value | humanize }} days more",
            "Renew it, and see why it is not renewed by itself.",
        )  # fmt: skip


def _of_backups(here: str, thresholds: Thresholds) -> Iterator[Alert]:
    active = f"on (instance) esteio_backup_agent_active{here} == 1"
    yield Alert(
        "EsteioBackupAgentSilent", f"esteio_backup_agent_silent_seconds{here} > 300", "1m", "page",
        "The agent of backups on {{ $labels.instance }} has been silent for {{ $value | humanizeDuration }}",
        "Start it: no backup is made, and no log archived.",
    )  # fmt: skip
    yield Alert(
        "EsteioBackupOverdue", f"esteio_backup_newest_age_seconds{here} > {thresholds.backup_seconds:g} and {active}", "5m",
        "page", "The newest backup is {{ $value | humanizeDuration }} old",
        "See `backup status`; make one by `backup run`.",
    )  # fmt: skip
    yield Alert(
        "EsteioBackupUnproven",
        f"(esteio_backup_proven_age_seconds{here} > {thresholds.backup_seconds:g} and {active})"
        f" or (esteio_backup_agent_active{here} == 1 unless on (instance) esteio_backup_proven_age_seconds{here})",
        "15m", "ticket",
        "No young backup on {{ $labels.instance }} was proven by a restore",
        "See `backup status`; prove one by `backup verify`.",
    )  # fmt: skip
    yield Alert(
        *_paced("backup:failing", f"esteio_backup_problems{here} > 0"),
        "{{ $value }} problems of the backups on {{ $labels.instance }}", "`backup status` names them.",
    )  # fmt: skip
    yield Alert(
        *_paced("wal:failing", f"esteio_backup_wal_lag_bytes{here} > {thresholds.wal_bytes:.0f}"),
        "{{ $value | humanize1024 }}B of WAL on {{ $labels.instance }} are not in the archive",
        "A restore would lose them, and the server's disk fills. See `backup status`.",
    )  # fmt: skip


def rules_file(
    job: str = "esteio", thresholds: Thresholds | None = None, words: Mapping[str, tuple[str, str]] | None = None
) -> str:
    """A file for `rule_files` of Prometheus, in YAML. `job`: the name of the job that scrapes the service.

    `words`: for the name of an alert its summary and what to do, in another language than English.
    """
    if not job or any(each in job for each in '"\\\n'):
        msg = f"job={job!r}: give the job_name of the service in prometheus.yml, without quotes and backslashes"
        raise ValueError(msg)
    lines = ["groups:", *_group("esteio-recording", (_recording(each, job) for each in recording_rules(job)))]
    alerts = [_worded(each, words or {}) for each in alerting_rules(job, thresholds or THRESHOLDS)]
    return "\n".join([*lines, *_group("esteio-alerts", (_alerting(each, job) for each in alerts)), ""])


def _worded(alert: Alert, words: Mapping[str, tuple[str, str]]) -> Alert:
    summary, remedy = words.get(alert.name, (alert.summary, alert.remedy))
    return replace(alert, summary=summary, remedy=remedy)


def _group(name: str, rules: Iterable[list[str]]) -> Iterator[str]:
    yield f"  - name: {name}"
    yield "    rules:"
    for rule in rules:
        yield from (f"      {line}" for line in rule)


def _recording(record: Record, job: str) -> list[str]:
    return [f"- record: {record.name}", f"  expr: {_text(record.expression)}", "  labels:", f"    job: {_text(job)}"]


def _alerting(alert: Alert, job: str) -> list[str]:
    return [
        f"- alert: {alert.name}", f"  expr: {_text(alert.expression)}", f"  for: {alert.lasting}", "  labels:",
        f"    severity: {alert.severity}", f"    job: {_text(job)}", "  annotations:", f"    summary: {_text(alert.summary)}",
        f"    description: {_text(alert.remedy)}",
    ]  # fmt: skip


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # a JSON string is a YAML string


def _seconds(window: str) -> int:
    return int(window[:-1]) * {"m": 60, "h": 3600, "d": 86_400}[window[-1]]


def _paced(alert: str, expression: str) -> tuple[str, str, str, str]:
    """The first fields of an `Alert` that `esteio.alert` knows as `alert`; once a minute is as often as Prometheus looks."""
    pace = PACES[alert]
    return pace.rule, expression, _written(max(60.0, pace.lasting)), pace.severity


def _written(seconds: float) -> str:
    """A duration as Prometheus writes it."""
    unit, size = next((unit, size) for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)) if seconds % size == 0)
    return f"{seconds / size:g}{unit}"
