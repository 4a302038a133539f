"""Every metric that Esteio exports: its name, kind, labels, and what it says.

What exports a metric, the reference page, the dashboard and the rules read it here. Names carry their unit (seconds, bytes);
what has none counts things. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["DEFINITIONS", "GROUPS", "Kind", "Merge", "Metric", "of_family", "of_group"]

Kind = Literal["counter", "gauge", "histogram"]
Merge = Literal["sum", "least", "most"]


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` as it is scraped; of a counter it ends in `_total`, of a histogram it is without `_bucket`, `_sum`, `_count`."""

    name: str
    kind: Kind
    help: str
    group: str
    labels: tuple[str, ...] = ()
    merge: Merge = "sum"
    """How a gauge of several workers becomes one."""

    @property
    def family(self) -> str:
        """Its name in OpenMetrics, which a counter's samples extend by `_total`."""
        return self.name.removesuffix("_total") if self.kind == "counter" else self.name


GROUPS = {
    "http": "Requests",
    "websocket": "WebSockets",
    "worker": "Workers",
    "limit": "Limits",
    "shedding": "Load shedding",
    "policy": "Policies",
    "postgres": "The pool of PostgreSQL connections",
    "check": "Checks",
    "backup": "Backups",
}
"""Their titles."""

_ROUTE = ("method", "route", "outcome")
_POLICY = ("pipeline", "policy")
_STATEMENT = ("database", "fingerprint")

_COUNTED = (
    # Requests and connections
    Metric("esteio_http_request_seconds", "histogram", "Time until the answer was whole.", "http", _ROUTE),
    Metric("esteio_http_requests_active", "gauge", "Requests being answered.", "http"),
    Metric(
        "esteio_websocket_handshake_seconds", "histogram",
        "Time until a WebSocket was accepted or refused; its count is how many were opened.", "websocket",
        ("route", "outcome"),
    ),
    Metric(
        "esteio_websocket_seconds", "histogram",
        "How long accepted WebSockets lasted, by the code they closed with.", "websocket", ("route", "code"),
    ),
    Metric("esteio_websockets_active", "gauge", "WebSockets that are open.", "websocket"),
    # Processes
    Metric("esteio_event_loop_lag_seconds", "histogram", "How late event loops were, asked twice a second.", "worker"),
    Metric("esteio_workers", "gauge", "Processes that live.", "worker"),
    Metric(
        "esteio_worker_loop_lag_max_seconds", "gauge",
        "The most that the worker's event loop was late in the last ten seconds.", "worker", ("worker",),
    ),
    Metric("esteio_worker_silent_seconds", "gauge", "Since the worker last wrote its numbers.", "worker", ("worker",)),
    Metric("esteio_worker_memory_bytes", "gauge", "Resident memory of the worker.", "worker", ("worker",)),
    Metric("esteio_worker_cpu_seconds_total", "counter", "Processor time of the worker.", "worker", ("worker",)),
    Metric("esteio_worker_uptime_seconds", "gauge", "Since the worker began to measure.", "worker", ("worker",)),
    # Limits
    Metric(
        "esteio_limit_decisions_total", "counter",
        "What the rule's limit decided: allowed, denied, shadowed; or degraded, without the store, beside one of these.",
        "limit", ("rule", "decision"),
    ),
    # Load shedding
    Metric("esteio_shedding_limit", "gauge", "Requests that may run at the same time, now.", "shedding"),
    Metric("esteio_shedding_running", "gauge", "Requests that were let in and have not ended.", "shedding"),
    Metric("esteio_shedding_waiting", "gauge", "Requests that wait to be let in.", "shedding"),
    Metric(
        "esteio_shedding_requests_total", "counter", "Requests by what became of them: admitted or refused.", "shedding",
        ("level", "decision"),
    ),
)  # fmt: skip

_POLICIES = (
    ("retry", "calls", "counter", "Calls begun, as the budget of the retries counts them."),
    ("retry", "retries", "counter", "Retries made."),
    ("retry", "refused", "counter", "Retries that the budget refused."),
    ("retry", "left", "gauge", "Retries left in the budgets."),
    ("breaker", "passed", "counter", "Calls that succeeded."),
    ("breaker", "failed", "counter", "Calls that failed."),
    ("breaker", "ignored", "counter", "Calls whose error does not count."),
    ("breaker", "rejected", "counter", "Calls that an open circuit refused."),
    ("breaker", "late", "counter", "Results that belong to an earlier state of the circuit."),
    ("breaker", "opened", "counter", "Times that the circuit opened."),
    ("timeout", "exceeded", "counter", "Calls that were stopped."),
    ("timeout", "abandoned", "gauge", "Threads of stopped calls that still run."),
    ("timeout", "running", "gauge", "Calls under way on the loop that was used last."),
    ("deadline", "exceeded", "counter", "Calls whose deadline passed."),
    ("bulkhead", "limit", "gauge", "Calls that may run at the same time."),
    ("bulkhead", "taken", "gauge", "Calls under way."),
    ("bulkhead", "waiting", "gauge", "Callers that wait."),
    ("bulkhead", "rejected", "counter", "Calls refused."),
    ("hedge", "started", "counter", "Further copies of slow calls."),
    ("hedge", "reaping", "gauge", "Copies that lost and have not ended yet."),
    ("fallback", "used", "counter", "Answers of the fallback."),
    ("cache", "kept", "gauge", "Answers kept."),
    ("cache", "fresh", "counter", "Answers given from the cache while they were fresh."),
    ("cache", "stale", "counter", "Answers given from the cache because the call failed."),
    ("cache", "shared", "counter", "Answers taken over from another caller at the same time."),
    ("shedder", "running", "gauge", "Calls under way."),
    ("shedder", "shed", "counter", "Calls refused under load."),
    ("ratelimit", "waiting", "gauge", "Calls that wait for room."),
    ("ratelimit", "rejected", "counter", "Calls that found no room."),
)  # fmt: skip

_POOL = (
    ("min_size", "gauge", "Connections that are kept open."),
    ("max_size", "gauge", "Connections that may be open."),
    ("size", "gauge", "Connections that are open."),
    ("idle", "gauge", "Connections that nobody uses."),
    ("in_use", "gauge", "Connections in use."),
    ("connecting", "gauge", "Connections being opened."),
    ("waiting", "gauge", "Callers that wait for a connection."),
    ("max_waiting", "gauge", "Callers that may wait."),
    ("overdue", "gauge", "Connections in use for too long."),
    ("acquired", "counter", "Connections handed out."),
    ("queued", "counter", "Callers that had to wait."),
    ("timeouts", "counter", "Callers that waited in vain."),
    ("rejected", "counter", "Callers that met a full queue."),
    ("connects", "counter", "Connections opened."),
    ("connect_failures", "counter", "Connections that could not be opened."),
    ("lost", "counter", "Connections found broken."),
    ("leaks", "counter", "Connections that were in use for too long, or forgotten."),
    ("failovers", "counter", "Times that another server became the one for writes."),
    ("retried", "counter", "Transactions and statements that ran again."),
    ("resolved_committed", "counter", "Commits without an answer that turned out to be there."),
    ("resolved_aborted", "counter", "Commits without an answer that turned out not to be there."),
    ("unknown", "counter", "Commits without an answer of which nobody can tell."),
)  # fmt: skip


def _policy(kind: str, key: str, grows: str, text: str) -> Metric:
    name = f"esteio_policy_{kind}_{key}"
    if grows == "counter":
        return Metric(f"{name}_total", "counter", text, "policy", _POLICY)
    return Metric(name, "gauge", text, "policy", _POLICY)


def _pool(key: str, grows: str, text: str) -> Metric:
    name = f"esteio_postgres_{key}"
    if grows == "counter":
        return Metric(f"{name}_total", "counter", text, "postgres", ("database",))
    return Metric(name, "gauge", text, "postgres", ("database",))


_STATES = (
    Metric(
        "esteio_policy_breaker_state", "gauge", "Workers whose circuit is in the state.", "policy", (*_POLICY, "state")
    ),
    Metric(
        "esteio_policy_breaker_retry_after_seconds", "gauge",
        "Until the circuit lets a probe through; of workers, the longest.", "policy", _POLICY, "most",
    ),
    Metric(
        "esteio_postgres_up", "gauge", "1 while every worker reaches the server, else 0.", "postgres", ("database",),
        "least",
    ),
    Metric(
        "esteio_postgres_wait_seconds", "histogram", "Waits for a connection, those of no time included.", "postgres",
        ("database",),
    ),
    Metric("esteio_postgres_statement_seconds", "histogram", "Time of the statement.", "postgres", _STATEMENT),
    Metric("esteio_postgres_statement_errors_total", "counter", "Errors of the statement.", "postgres", _STATEMENT),
)  # fmt: skip

_WATCHED = (
    Metric(
        "esteio_check_state", "gauge", "1 for the state the check is in: up, degraded, down, maintenance or unknown.",
        "check", ("check", "state"),
    ),
    Metric(
        "esteio_check_value", "gauge", "What the check observed last, in the unit of the check.", "check", ("check",)
    ),
    Metric("esteio_check_silent_seconds", "gauge", "Since the checks were last looked at.", "check"),
    Metric("esteio_backup_agent_silent_seconds", "gauge", "Since the agent that makes backups last reported.", "backup"),
    Metric(
        "esteio_backup_agent_active", "gauge", "1 where this machine makes the backups, 0 where another one does.",
        "backup",
    ),
    Metric("esteio_backup_newest_age_seconds", "gauge", "Age of the newest backup.", "backup"),
    Metric(
        "esteio_backup_proven_age_seconds", "gauge",
        "Age of the newest backup that was proven by a restore; absent while none is.", "backup",
    ),
    Metric("esteio_backup_restore_seconds", "gauge", "How long the proof of that backup took to restore.", "backup"),
    Metric("esteio_backup_problems", "gauge", "Problems of the backups and of the archive.", "backup"),
    Metric("esteio_backup_wal_lag_bytes", "gauge", "WAL that is not in the archive yet.", "backup"),
)  # fmt: skip

DEFINITIONS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        *_COUNTED,
        *(_policy(*each) for each in _POLICIES),
        *_STATES[:2],
        *(_pool(*each) for each in _POOL),
        *_STATES[2:],
        *_WATCHED,
    )
}
"""All of them by their names."""

_BY_FAMILY = {metric.family: metric for metric in DEFINITIONS.values()}


def of_family(name: str) -> Metric | None:
    """The metric of the family `name`; None when it is not one of ours."""
    return _BY_FAMILY.get(name)


def of_group(prefix: str) -> Mapping[str, Metric]:
    """Those whose name begins with `prefix`, by the rest of their family's name: `of_group("esteio_postgres_")["idle"]`."""
    return {m.family.removeprefix(prefix): m for m in DEFINITIONS.values() if m.name.startswith(prefix)}
